//! Families as text: that of Prometheus, or OpenMetrics.
//!
//! Sources: <https://prometheus.io/docs/instrumenting/exposition_formats/>, <https://github.com/prometheus/OpenMetrics>.

use std::fmt::{self, Write};
use std::time::Duration;

use daemon_core::Histogram;

use super::family::{Families, Family, Kind, Value};

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Prometheus,
    OpenMetrics,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Of which buckets of a histogram the ends are shown, as powers of two in microseconds: each from 1 ms to 4 s, where people look,
/// and every other one around that.
const SHOWN: [u32; 19] = [2, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 26];

/// What a histogram shows: the end of each bucket in seconds, and how many values are below it.
pub(super) fn cumulative(histogram: &Histogram) -> impl Iterator<Item = (f64, u64)> {
    let below = |power: u32| {
        let end = Duration::from_micros(1 << power);
        let within = histogram.buckets().take_while(|(bound, _)| bound.is_some_and(|bound| bound <= end));
        (end.as_secs_f64(), within.map(|(_, count)| count).sum())
    };
    SHOWN.into_iter().map(below)
}

/// Writes all of it.
pub(super) fn write(families: &Families, format: Format) -> String {
    let mut text = String::with_capacity(64 * 1024);
    // Writing to a string does not fail.
    for (name, family) in families.all.iter().filter(|(_, family)| !family.samples.is_empty()) {
        family_to(&mut text, name, family, format).ok();
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn family_to(out: &mut String, name: &str, family: &Family, format: Format) -> fmt::Result {
    let suffix = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram => "",
    };
    // OpenMetrics names the family, Prometheus the samples.
    let told = if format == Format::OpenMetrics { "" } else { suffix };
    let kind = match (family.kind, format) {
        (Kind::Counter, _) => "counter",
        (Kind::Histogram, _) => "histogram",
        (Kind::Info, Format::OpenMetrics) => "info",
        (Kind::Gauge | Kind::Info, _) => "gauge",
    };
    writeln!(out, "# HELP {name}{told} {}", Escaped(&family.help, format == Format::OpenMetrics))?;
    writeln!(out, "# TYPE {name}{told} {kind}")?;
    if let (Format::OpenMetrics, Some(unit)) = (format, unit(name)) {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    for (labels, value) in &family.samples {
        let labels = Labels(labels, None);
        match value {
            Value::Whole(value) => writeln!(out, "{name}{suffix}{labels} {value}")?,
            Value::Real(value) => writeln!(out, "{name}{suffix}{labels} {}", Real(*value))?,
            Value::Histogram(histogram) => histogram_to(out, name, labels.0, histogram)?,
        }
    }
    Ok(())
}

fn histogram_to(out: &mut String, name: &str, labels: &[(String, String)], histogram: &Histogram) -> fmt::Result {
    for (end, count) in cumulative(histogram) {
        writeln!(out, "{name}_bucket{} {count}", Labels(labels, Some(end)))?;
    }
    let count = histogram.count();
    writeln!(out, "{name}_bucket{} {count}", Labels(labels, Some(f64::INFINITY)))?;
    writeln!(out, "{name}_sum{} {}", Labels(labels, None), Real(histogram.total().as_secs_f64()))?;
    writeln!(out, "{name}_count{} {count}", Labels(labels, None))
}

/// The unit that a name ends in.
fn unit(name: &str) -> Option<&'static str> {
    ["seconds", "bytes"].into_iter().find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
}

/// Labels in braces, with the end of a bucket.
struct Labels<'a>(&'a [(String, String)], Option<f64>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = '{';
        for (name, value) in self.0 {
            write!(f, "{before}{name}=\"{}\"", Escaped(value, true))?;
            before = ',';
        }
        if let Some(end) = self.1 {
            write!(f, "{before}le=\"{}\"", Real(end))?;
            before = ',';
        }
        if before == ',' { f.write_char('}') } else { Ok(()) }
    }
}

/// A number as both formats have it.
struct Real(f64);

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

/// Text with what would end it escaped.
struct Escaped<'a>(&'a str, bool);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' if self.1 => f.write_str("\\\"")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
