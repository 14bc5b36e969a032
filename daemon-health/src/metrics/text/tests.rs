//! Whatever is shown is text that a strict reader takes.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A strict reader: each family once, with its help and type before its samples; valid names; no series twice; counters end in
/// `_total` and never fall below 0; buckets that add up.
fn read(text: &str, format: Format) -> Result<BTreeMap<String, f64>, String> {
    let (mut kinds, mut helped, mut series) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    let mut current = String::new();
    for line in text.lines() {
        if let Some(told) = line.strip_prefix("# HELP ") {
            let (name, _) = told.split_once(' ').ok_or("help without text")?;
            current = name.to_owned();
            if !helped.insert(current.clone()) {
                return Err(format!("`{name}` twice"));
            }
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').ok_or("no type")?;
            if name != current || !is_name(name) {
                return Err(format!("type of `{name}` after the help of `{current}`"));
            }
            kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let (name, rest) = line.split_at(line.find(['{', ' ']).ok_or("no value")?);
            let (labels, value) = rest.rsplit_once(' ').ok_or("no value")?;
            let value: f64 = value.parse().map_err(|_| format!("no number in {line:?}"))?;
            let kind = kinds.get(&current).ok_or("a sample without a type")?;
            let suffixes: &[&str] = match (kind.as_str(), format) {
                ("counter", Format::OpenMetrics) => &["_total"],
                ("info", _) => &["_info"],
                ("histogram", _) => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            if !suffixes.iter().any(|suffix| *name == format!("{current}{suffix}")) {
                return Err(format!("{line:?} below `{current}`"));
            }
            if kind == "counter" && !name.ends_with("_total") {
                return Err(format!("counter `{name}`"));
            }
            check_labels(labels)?;
            if series.insert(format!("{name}{labels}"), value).is_some() {
                return Err(format!("{line:?} twice"));
            }
        }
    }
    if (format == Format::OpenMetrics) != text.ends_with("# EOF\n") {
        return Err("the end".to_owned());
    }
    Ok(series)
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

/// Reads labels character by character.
fn check_labels(labels: &str) -> Result<(), String> {
    if labels.is_empty() {
        return Ok(());
    }
    let inner = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).ok_or("braces")?;
    let (mut rest, mut names) = (inner, BTreeSet::new());
    loop {
        let (name, value) = rest.split_once("=\"").ok_or_else(|| format!("no value in {rest:?}"))?;
        if !is_name(name) || name.contains(':') || !names.insert(name) {
            return Err(format!("label {name:?}"));
        }
        let mut escaped = false;
        let end = value.find(|c: char| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        let after = &value[end.ok_or("no end")? + 1..];
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(()),
            None => return Err(format!("{after:?} after a label")),
        }
    }
}

/// What somebody may put into a family.
#[derive(Clone, Debug)]
enum Put {
    Counter(u64),
    Gauge(f64),
    Histogram(Vec<u64>),
}

fn some() -> impl Strategy<Value = (String, String, Vec<(String, String)>, Put)> {
    let put = prop_oneof![
        any::<u32>().prop_map(|value| Put::Counter(value.into())),
        any::<f64>().prop_map(Put::Gauge),
        prop::collection::vec(0_u64..10_000_000_000, 0..5).prop_map(Put::Histogram),
    ];
    let label = ("[a-c]{1,2}|.{0,3}", "[a-c]{0,2}|(?s).{0,5}");
    ("[a-c]{1,2}(_total|_seconds)?|.{0,3}", "(?s).{0,5}", prop::collection::vec(label, 0..3), put)
}

proptest! {
    #[test]
    fn a_strict_reader_takes_whatever_is_put_in(all in prop::collection::vec(some(), 0..12)) {
        let mut families = Families::default();
        for (name, help, labels, put) in &all {
            let labels: Vec<_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
            // Kinds have names of their own here; that names may clash is another test's concern.
            match put {
                Put::Counter(value) => families.counter(&format!("c_{name}"), help).add(&labels, *value),
                Put::Gauge(value) => families.gauge(&format!("g_{name}"), help).add_real(&labels, *value),
                Put::Histogram(values) => {
                    let mut histogram = Histogram::new();
                    values.iter().for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
                    families.histogram(&format!("h_{name}"), help).observe(&labels, &histogram);
                }
            }
        }
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let text = write(&families, format);
            let series = read(&text, format).map_err(|fault| TestCaseError::fail(format!("{fault} in\n{text}")))?;
            let counted: f64 = series.iter().filter(|(name, _)| name.starts_with("c_")).map(|(_, value)| value).sum();
            let put_in = all.iter().map(|(.., put)| if let Put::Counter(value) = put { *value as f64 } else { 0.0 });
            prop_assert_eq!(counted, put_in.sum::<f64>(), "nothing is lost");
        }
    }

    #[test]
    fn buckets_hold_all_that_is_below_their_end(nanos in prop::collection::vec(0_u64..100_000_000_000, 0..40)) {
        let mut histogram = Histogram::new();
        nanos.iter().for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
        for (end, count) in cumulative(&histogram) {
            let below = nanos.iter().filter(|nanos| (**nanos as f64) < (end * 1e9).round()).count() as u64;
            prop_assert_eq!(count, below, "below {} s", end);
        }
    }
}

#[test]
fn of_two_kinds_of_one_name_the_first_is_shown() {
    let mut families = Families::default();
    families.gauge("rooms", "Rooms.").add(&[], 1);
    families.histogram("rooms", "Others.").observe(&[], &Histogram::new());
    families.gauge("rooms", "Rooms.").observe(&[], &Histogram::new());
    assert_eq!(write(&families, Format::Prometheus), "# HELP rooms Rooms.\n# TYPE rooms gauge\nrooms 1\n");
}

#[test]
fn units_and_ends_are_those_of_each_format() {
    let mut families = Families::default();
    families.counter("work_seconds", "A\\b \"c\"\n").add_real(&[("a", "b")], 1.5);
    families.info("build", "What runs.").add(&[("v", "1")], 1);
    let plain = "# HELP build_info What runs.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n\
        # HELP work_seconds_total A\\\\b \"c\"\\n\n# TYPE work_seconds_total counter\nwork_seconds_total{a=\"b\"} 1.5\n";
    assert_eq!(write(&families, Format::Prometheus), plain);
    let open = "# HELP build What runs.\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
        # HELP work_seconds A\\\\b \\\"c\\\"\\n\n# TYPE work_seconds counter\n# UNIT work_seconds seconds\n\
        work_seconds_total{a=\"b\"} 1.5\n# EOF\n";
    assert_eq!(write(&families, Format::OpenMetrics), open);
}
