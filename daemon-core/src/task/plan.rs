//! From the rows of a daemon to its mailboxes: which handlers share a queue, which a lane, and which run on a task of their own.
//!
//! Pure: rows come as data, faults go as data.

use std::fmt::Display;

use crate::event::{
    Filter, Key, LanePlan, MailboxPlan, Overflow, QueueOptions, QueuePlan, SeatPlan, SubscribeError, TypeTag,
};

/// What a row asks of its queue and of those who call it. What is not said is left to the other handlers of its queue, or to the
/// default.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) capacity: Option<usize>,
    pub(super) overflow: Option<Overflow>,
    pub(super) startup: Option<usize>,
    pub(super) key: Option<Key>,
    pub(super) filter: Option<Filter>,
    pub(super) queue: Option<&'static str>,
    pub(super) concurrency: Option<u32>,
    pub(super) isolated: bool,
}

impl Wish {
    /// The bounds that come of it.
    pub(super) fn options(&self) -> QueueOptions {
        let mut options = QueueOptions::default();
        options.capacity = self.capacity.unwrap_or(options.capacity);
        options.startup = self.startup.unwrap_or(options.startup);
        options.overflow = self.overflow.unwrap_or_default();
        options.key = self.key.clone().filter(|_| options.overflow == Overflow::Latest);
        options.filter = self.filter.clone();
        options
    }
}

/// A row without its function.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    pub(super) name: &'static str,
    pub(super) topic: &'static str,
    pub(super) takes: Option<TypeTag>,
    pub(super) wish: Wish,
}

impl Outline {
    fn mistyped(&self, daemon: &str) -> impl Iterator<Item = SubscribeError> {
        let (wish, label) = (&self.wish, format!("{daemon}.{}", self.name));
        let filter = wish.filter.as_ref().and_then(|filter| filter.check(&label, self.takes).err());
        let key = wish.key.as_ref().and_then(|key| key.check(&label, self.takes).err());
        filter.into_iter().chain(key)
    }
}

/// The handlers that one dispatcher calls.
#[derive(Debug, Default)]
pub(super) struct SectionPlan {
    /// If it is isolated, the name of its handler or of its queue.
    pub(super) name: Option<&'static str>,
    pub(super) mailbox: MailboxPlan,
    /// Of each lane, its rows by their number.
    pub(super) rows: Vec<Vec<usize>>,
}

/// Divides the rows of `daemon` into sections: the common one first, then one for each that is isolated. Besides, everything that
/// handlers who share a queue disagree on or cannot have, and the filters and keys that are for another type.
pub(super) fn sections(daemon: &str, rows: &[Outline]) -> (Vec<SectionPlan>, Vec<SubscribeError>) {
    let mut faults: Vec<_> = rows.iter().flat_map(|row| row.mistyped(daemon)).collect();
    let shared = shared_queues(daemon, rows, &mut faults);
    let mut sections = vec![SectionPlan::default()];
    for (number, row) in rows.iter().enumerate() {
        let wish = shared.iter().find(|wish| wish.queue == row.wish.queue).unwrap_or(&row.wish);
        let section = section_of(&mut sections, row, wish);
        let queue = section.queue(wish);
        section.seat(number, row, queue);
    }
    (sections, faults)
}

/// What the handlers of each queue that has a name ask of it together.
fn shared_queues(daemon: &str, rows: &[Outline], faults: &mut Vec<SubscribeError>) -> Vec<Wish> {
    let mut shared: Vec<(Wish, Vec<&Outline>)> = Vec::new();
    for row in rows {
        let Some(queue) = row.wish.queue else { continue };
        let known = shared.iter().position(|(wish, _)| wish.queue == Some(queue));
        let at = known.unwrap_or(shared.len());
        if known.is_none() {
            shared.push(<_>::default());
        }
        let (wish, members) = &mut shared[at];
        wish.queue = Some(queue);
        wish.isolated |= row.wish.isolated;
        let disagree = [
            agree("capacity", &mut wish.capacity, members, row, |wish| wish.capacity),
            agree("overflow", &mut wish.overflow, members, row, |wish| wish.overflow),
            agree("startup", &mut wish.startup, members, row, |wish| wish.startup),
        ];
        let reasons = disagree.into_iter().chain(impossible(row)).flatten();
        faults.extend(reasons.map(|reason| SubscribeError::QueueMismatch {
            queue: queue.to_owned(),
            reason: format!("queue `{queue}` of `{daemon}`: {reason}"),
        }));
        members.push(row);
    }
    shared.into_iter().map(|(wish, _)| wish).collect()
}

/// Takes in what one more row says of an option of its queue; says so if another row has said otherwise.
fn agree<T: PartialEq + Display>(
    option: &str,
    agreed: &mut Option<T>,
    members: &[&Outline],
    row: &Outline,
    of: impl Fn(&Wish) -> Option<T>,
) -> Option<String> {
    let said = of(&row.wish)?;
    let Some(first) = members.iter().find(|member| of(&member.wish).is_some()) else {
        *agreed = Some(said);
        return None;
    };
    let agreed = agreed.as_ref().filter(|agreed| **agreed != said)?;
    let (first, second) = (first.name, row.name);
    Some(format!("`{first}` gives it {option} {agreed} and `{second}` {option} {said}; give it once"))
}

/// What a row asks for that no handler of a shared queue can have.
fn impossible(row: &Outline) -> [Option<String>; 2] {
    let (wish, name) = (&row.wish, row.name);
    let concurrency = wish.concurrency.filter(|calls| *calls > 1);
    let latest = wish.overflow.filter(|overflow| *overflow == Overflow::Latest);
    [
        concurrency.map(|_| format!("its events are handled one at a time, so `{name}` cannot have a concurrency")),
        latest.map(|_| {
            format!("it keeps the order of its events, and `latest` does not; `{name}` needs a queue of its own")
        }),
    ]
}

fn section_of<'s>(sections: &'s mut Vec<SectionPlan>, row: &Outline, wish: &Wish) -> &'s mut SectionPlan {
    if !wish.isolated {
        return &mut sections[0];
    }
    let is_known = |section: &SectionPlan| wish.queue.is_some() && section.name == wish.queue;
    let at = sections.iter().position(is_known).unwrap_or(sections.len());
    if at == sections.len() {
        let mailbox = MailboxPlan { isolated: true, ..MailboxPlan::default() };
        sections.push(SectionPlan { name: Some(wish.queue.unwrap_or(row.name)), mailbox, rows: Vec::new() });
    }
    &mut sections[at]
}

impl SectionPlan {
    /// The queue that comes of a wish, by its number: a new one, unless it is shared and there already.
    fn queue(&mut self, wish: &Wish) -> u32 {
        let queues = &mut self.mailbox.queues;
        let known = queues.iter().position(|queue| wish.queue.is_some() && queue.name == wish.queue);
        if known.is_none() {
            let options = wish.options();
            let is_own = wish.queue.is_some() || matches!(options.overflow, Overflow::DropOldest | Overflow::Latest);
            queues.push(QueuePlan {
                name: wish.queue,
                options,
                width: wish.concurrency.unwrap_or(1),
                is_own,
                is_quiet: false,
            });
        }
        known.unwrap_or(queues.len() - 1) as u32
    }

    /// Seats a row: beside others of its topic and type, or alone if it has a filter or its queue keeps its own events.
    fn seat(&mut self, number: usize, row: &Outline, queue: u32) {
        let MailboxPlan { lanes, queues, .. } = &mut self.mailbox;
        let QueuePlan { options, is_own, .. } = &queues[queue as usize];
        let options = QueueOptions { filter: row.wish.filter.clone(), ..options.clone() };
        let lane = LanePlan::new(row.topic, row.takes, &options, *is_own);
        let takes_it = |known: &LanePlan| known.is_common() && known.topic == lane.topic && known.takes == lane.takes;
        let known = lanes.iter().position(|known| lane.is_common() && takes_it(known));
        let at = known.unwrap_or(lanes.len());
        if known.is_none() {
            lanes.push(lane);
            self.rows.push(Vec::new());
        }
        lanes[at].seats.push(SeatPlan { name: row.name.to_owned(), queue });
        self.rows[at].push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_that_share_a_queue_have_one_and_a_wish_tells_its_filter() {
        let wish = || Wish { queue: Some("shared"), filter: Some(Filter::of(|_: &u8| true)), ..Wish::default() };
        let row = |name| Outline { name, topic: "a:topic", takes: Some(TypeTag::of::<u8>()), wish: wish() };
        let (sections, faults) = sections("daemon", &["one", "other"].map(row));
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!((sections.len(), sections[0].mailbox.queues.len(), sections[0].mailbox.lanes.len()), (1, 1, 2));
        assert!(wish().options().filter.is_some());
    }
}
