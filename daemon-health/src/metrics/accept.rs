//! What a reader wants, by its `Accept` header. Pure.

use super::text::Format;

/// OpenMetrics for whoever asks for it and likes nothing better; otherwise the text that every reader knows.
pub(super) fn format(accept: Option<&str>) -> Format {
    if prefers(accept, "application/openmetrics-text", "text/plain") { Format::OpenMetrics } else { Format::Prometheus }
}

/// Whether a media type is asked for by its name, and `usual` is not liked better.
pub(crate) fn prefers(accept: Option<&str>, wanted: &str, usual: &str) -> bool {
    let weight = |kind: &str| weight(accept.unwrap_or_default(), kind);
    weight(wanted) > 0.0 && weight(wanted) >= weight(usual)
}

/// How much a media type is liked, from 0 to 1, in any of its versions.
fn weight(accept: &str, wanted: &str) -> f64 {
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(wanted) {
            return None;
        }
        let q = parts.find_map(|part| part.strip_prefix("q="));
        Some(q.map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0)))
    });
    ranges.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::{Format, format};

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        // What Prometheus 2.42 and 3 send.
        let old = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                   text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let new = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                   text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            (None, Format::Prometheus),
            (Some(""), Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/html, text/plain"), Format::Prometheus),
            (Some("text/plain;q=0.9, application/openmetrics-text;q=0.5"), Format::Prometheus),
            (Some("application/openmetrics-text;q=0"), Format::Prometheus),
            (Some("application/openmetrics-text; version=1.0.0; q=nonsense"), Format::Prometheus),
            (Some("Application/OpenMetrics-Text"), Format::OpenMetrics),
            (Some(old), Format::OpenMetrics),
            (Some(new), Format::OpenMetrics),
        ] {
            assert_eq!(format(accept), expected, "{accept:?}");
        }
    }
}
