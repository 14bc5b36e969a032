//! Figures as data: families of samples, each with its labels. Whatever is put in, what comes out is valid.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use daemon_core::Histogram;

/// What the figures of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// Facts in labels; the value is always 1.
    Info,
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
    Histogram(Box<Histogram>),
}

impl Value {
    fn plus(&mut self, more: Self) {
        *self = match (&*self, more) {
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.saturating_add(other)),
            (Self::Histogram(one), Self::Histogram(mut other)) => {
                other.merge(one);
                Self::Histogram(other)
            }
            (one, other) => Self::Real(one.real() + other.real()),
        }
    }

    /// As a number; of a histogram, how much it counted.
    pub(super) fn real(&self) -> f64 {
        match self {
            Self::Whole(value) => *value as f64,
            Self::Real(value) => *value,
            Self::Histogram(histogram) => histogram.count() as f64,
        }
    }
}

/// The labels of one sample, in the order of their names.
pub(super) type Labels = Vec<(String, String)>;

/// Figures of one name, told apart by labels.
#[derive(Clone, Debug)]
pub struct Family {
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) samples: BTreeMap<Labels, Value>,
}

impl Family {
    fn new(kind: Kind, help: &str) -> Self {
        Self { help: help.to_owned(), kind, samples: BTreeMap::new() }
    }

    /// Adds `value` to the figure with these labels, which begins at 0. Of a histogram only [`observe`](Self::observe) makes one.
    pub fn add(&mut self, labels: &[(&str, &str)], value: u64) {
        self.plus(labels, Value::Whole(value));
    }

    /// As [`add`](Self::add), for what is not a whole number.
    pub fn add_real(&mut self, labels: &[(&str, &str)], value: f64) {
        self.plus(labels, Value::Real(value));
    }

    /// Adds all that a histogram of durations counted, which is shown in seconds. In a family of another kind nothing happens.
    pub fn observe(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        self.plus(labels, Value::Histogram(Box::new(histogram.clone())));
    }

    /// Lets the figure with these labels be at least `value`.
    pub(super) fn raise(&mut self, labels: &[(&str, &str)], value: u64) {
        let there = self.samples.entry(sorted(labels)).or_insert(Value::Whole(value));
        if there.real() < value as f64 {
            *there = Value::Whole(value);
        }
    }

    fn plus(&mut self, labels: &[(&str, &str)], value: Value) {
        if (self.kind == Kind::Histogram) != matches!(value, Value::Histogram(_)) {
            return;
        }
        match self.samples.entry(sorted(labels)) {
            Entry::Vacant(place) => drop(place.insert(value)),
            Entry::Occupied(mut place) => place.get_mut().plus(value),
        }
    }
}

/// Labels with valid names, each name once.
fn sorted(labels: &[(&str, &str)]) -> Labels {
    let valid = labels.iter().map(|(name, value)| (valid(name, ""), (*value).to_owned()));
    valid.collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// A name with `_` in the place of what may not be in one; `also` may.
fn valid(name: &str, also: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    let mut valid: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if valid.chars().next().is_none_or(|first| first.is_ascii_digit()) {
        valid.insert(0, '_');
    }
    valid
}

/// What is to be shown, by name.
///
/// A name is put together as Prometheus has it: lower case, a prefix of the program's own, the base unit at the end (`_seconds`,
/// `_bytes`). Whatever may not be in a name is written as `_`.
#[derive(Clone, Debug, Default)]
pub struct Families {
    pub(super) all: BTreeMap<String, Family>,
    /// Families of a name that one of another kind has; never shown.
    refused: Option<Family>,
}

impl Families {
    /// The counter of that name, which gets `_total` at its end where it is shown.
    pub fn counter(&mut self, name: &str, help: &str) -> &mut Family {
        self.family(name.strip_suffix("_total").unwrap_or(name), help, Kind::Counter)
    }

    /// The gauge of that name.
    pub fn gauge(&mut self, name: &str, help: &str) -> &mut Family {
        self.family(name, help, Kind::Gauge)
    }

    /// The histogram of durations of that name, which should end in `_seconds`.
    pub fn histogram(&mut self, name: &str, help: &str) -> &mut Family {
        self.family(name, help, Kind::Histogram)
    }

    /// Facts that do not change, shown as labels of a figure that is 1; it gets `_info` at its end.
    pub(super) fn info(&mut self, name: &str, help: &str) -> &mut Family {
        self.family(name, help, Kind::Info)
    }

    /// Of two families of one name but different kinds the first is shown.
    fn family(&mut self, name: &str, help: &str, kind: Kind) -> &mut Family {
        match self.all.entry(valid(name, ":")) {
            Entry::Vacant(place) => place.insert(Family::new(kind, help)),
            Entry::Occupied(place) if place.get().kind == kind => place.into_mut(),
            Entry::Occupied(place) => {
                tracing::warn!(metric = place.key(), "left out: there is another of that name which is no {kind:?}");
                self.refused.insert(Family::new(kind, help))
            }
        }
    }

    /// Takes in what `other` has; where both have a family, this one's samples stay.
    pub(super) fn absorb(&mut self, other: Self) {
        for (name, family) in other.all {
            self.all.entry(name).or_insert(family);
        }
    }
}
