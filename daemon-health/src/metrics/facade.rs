//! The framework's figures for whatever recorder a program installed for the `metrics` facade.
//!
//! A recorder counts by itself, so histograms are written as what has been added since the last time.

use std::collections::BTreeMap;
use std::time::Duration;

use daemon_core::Histogram;
use metrics::{Key, Label, Level, Metadata, Recorder, Unit};

use super::family::{Families, Family, Kind, Labels, Value};

/// What has been written so far.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    histograms: BTreeMap<(String, Labels), Vec<u64>>,
}

const FROM: Metadata<'static> = Metadata::new("daemon_health::metrics", Level::INFO, Some(module_path!()));

impl Recorded {
    pub(super) fn write(&mut self, families: &Families, recorder: &dyn Recorder) {
        for (name, family) in &families.all {
            let name = match family.kind {
                Kind::Counter => format!("{name}_total"),
                Kind::Info => format!("{name}_info"),
                Kind::Gauge | Kind::Histogram => name.clone(),
            };
            describe(&name, family, recorder);
            for (labels, value) in &family.samples {
                let key = Key::from_parts(
                    name.clone(),
                    labels.iter().map(|(k, v)| Label::new(k.clone(), v.clone())).collect::<Vec<_>>(),
                );
                match (family.kind, value) {
                    (_, Value::Histogram(histogram)) => {
                        let before = self.histograms.entry((name.clone(), labels.clone())).or_default();
                        let to = recorder.register_histogram(&key, &FROM);
                        added(before, histogram, |value, times| to.record_many(value, times));
                    }
                    (Kind::Counter, value) => recorder.register_counter(&key, &FROM).absolute(value.real() as u64),
                    (_, value) => recorder.register_gauge(&key, &FROM).set(value.real()),
                }
            }
        }
    }
}

fn describe(name: &str, family: &Family, recorder: &dyn Recorder) {
    let unit = match name {
        name if name.ends_with("_seconds") || name.ends_with("_seconds_total") => Some(Unit::Seconds),
        name if name.ends_with("_bytes") => Some(Unit::Bytes),
        _ => None,
    };
    let (name, help) = (name.to_owned().into(), family.help.clone().into());
    match family.kind {
        Kind::Counter => recorder.describe_counter(name, unit, help),
        Kind::Gauge | Kind::Info => recorder.describe_gauge(name, unit, help),
        Kind::Histogram => recorder.describe_histogram(name, unit, help),
    }
}

/// Tells what a histogram has counted since `before`, each bucket by its middle, and notes that.
fn added(before: &mut Vec<u64>, histogram: &Histogram, mut tell: impl FnMut(f64, usize)) {
    let counts: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
    // It began anew, as those of an interval do in each life.
    if before.len() != counts.len() || before.iter().zip(&counts).any(|(before, now)| now < before) {
        *before = vec![0; counts.len()];
    }
    for ((below, count), before) in histogram.buckets().zip(before.iter()) {
        let middle = match below {
            Some(below) => below.mul_f64(0.75),
            None => histogram.max().unwrap_or(Duration::ZERO),
        };
        if count > *before {
            tell(middle.as_secs_f64(), usize::try_from(count - before).unwrap_or(usize::MAX));
        }
    }
    *before = counts;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorder_hears_of_each_duration_once() {
        let (mut before, mut histogram, mut heard) = (Vec::new(), Histogram::new(), Vec::new());
        let mut tell = |before: &mut Vec<u64>, histogram: &Histogram| {
            heard.clear();
            added(before, histogram, |value, times| heard.push((value, times)));
            heard.clone()
        };
        assert_eq!(tell(&mut before, &histogram), []);
        for millis in [3, 3, 100] {
            histogram.record(Duration::from_millis(millis));
        }
        assert_eq!(tell(&mut before, &histogram), [(0.003_072, 2), (0.098_304, 1)]);
        assert_eq!(tell(&mut before, &histogram), []);
        histogram.record(Duration::from_secs(7_200));
        assert_eq!(tell(&mut before, &histogram), [(7_200.0, 1)], "what has no bound is told as the longest");
        let mut anew = Histogram::new();
        anew.record(Duration::from_millis(3));
        assert_eq!(tell(&mut before, &anew), [(0.003_072, 1)], "it began anew");
    }
}
