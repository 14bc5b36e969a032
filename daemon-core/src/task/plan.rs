//! From the rows of a daemon to its mailboxes: which handlers share a queue, which a lane, and which run on a task of their own.
//!
//! Pure: rows come as data, faults go as data.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::event::{Key, LanePlan, MailboxPlan, Overflow, QueueOptions, QueuePlan, SeatPlan, SubscribeError, TypeTag};

/// What a row asks of its queue and of those who call it. What is not said is left to the other handlers of its queue, or to the
/// default.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) capacity: Option<usize>,
    pub(super) overflow: Option<Overflow>,
    pub(super) startup: Option<usize>,
    pub(super) key: Option<Key>,
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

/// The handlers that one dispatcher calls.
#[derive(Debug, Default)]
pub(super) struct SectionPlan {
    /// If it is isolated, the name of its handler or of its queue.
    pub(super) name: Option<&'static str>,
    pub(super) mailbox: MailboxPlan,
    /// Of each lane, its rows by their number.
    pub(super) rows: Vec<Vec<usize>>,
}

/// Divides rows into sections: the common one first, then one for each that is isolated. Besides, everything that handlers who
/// share a queue disagree on, or that they cannot have.
pub(super) fn sections(rows: &[Outline]) -> (Vec<SectionPlan>, Vec<SubscribeError>) {
    let mut faults = Vec::new();
    let shared = shared_queues(rows, &mut faults);
    let mut sections = vec![SectionPlan::default()];
    for (number, row) in rows.iter().enumerate() {
        let wish = row.wish.queue.and_then(|name| shared.get(name)).unwrap_or(&row.wish);
        let section = section_of(&mut sections, row, wish);
        let queue = section.queue(wish);
        section.seat(number, row, queue);
    }
    (sections, faults)
}

/// What the handlers of each queue that has a name ask of it together.
fn shared_queues(rows: &[Outline], faults: &mut Vec<SubscribeError>) -> BTreeMap<&'static str, Wish> {
    let mut shared: BTreeMap<&'static str, (Wish, Vec<&Outline>)> = BTreeMap::new();
    for row in rows {
        let Some(name) = row.wish.queue else { continue };
        let (wish, members) = shared.entry(name).or_default();
        let mut fault = |text| faults.push(SubscribeError::QueueMismatch { queue: name.to_owned(), reason: text });
        wish.queue = Some(name);
        wish.isolated |= row.wish.isolated;
        agree("capacity", &mut wish.capacity, members, row, |wish| wish.capacity, &mut fault);
        agree("overflow", &mut wish.overflow, members, row, |wish| wish.overflow, &mut fault);
        agree("startup", &mut wish.startup, members, row, |wish| wish.startup, &mut fault);
        if row.wish.concurrency.is_some_and(|calls| calls > 1) {
            fault(format!(
                "the handlers of the queue `{name}` are called one at a time, so `{}` cannot have a concurrency",
                row.name
            ));
        }
        if row.wish.overflow == Some(Overflow::Latest) {
            fault(format!(
                "the queue `{name}` keeps the order of its events, and `latest` does not; give `{}` a queue of its own",
                row.name
            ));
        }
        members.push(row);
    }
    shared.into_iter().map(|(name, (wish, _))| (name, wish)).collect()
}

/// Takes in what one more row says of an option of its queue; a fault if another has said otherwise.
fn agree<T: PartialEq + Display>(
    option: &str,
    agreed: &mut Option<T>,
    members: &[&Outline],
    row: &Outline,
    of: impl Fn(&Wish) -> Option<T>,
    fault: &mut impl FnMut(String),
) {
    let (said, first) = (of(&row.wish), members.iter().find(|member| of(&member.wish).is_some()));
    match (said, &agreed, first) {
        (Some(said), Some(agreed), Some(first)) if said != *agreed => fault(format!(
            "`{}` and `{}` share a queue and disagree on its {option}, {agreed} and {said}; give it once",
            first.name, row.name
        )),
        (Some(said), None, _) => *agreed = Some(said),
        _ => {}
    }
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
            queues.push(QueuePlan { name: wish.queue, options, width: wish.concurrency.unwrap_or(1), is_own });
        }
        known.unwrap_or(queues.len() - 1) as u32
    }

    /// Seats a row: beside others of its topic and type, or alone if its queue keeps its own events.
    fn seat(&mut self, number: usize, row: &Outline, queue: u32) {
        let SectionPlan { mailbox: MailboxPlan { lanes, queues, .. }, rows, .. } = self;
        let is_own = queues[queue as usize].is_own;
        let takes_it = |lane: &LanePlan| !is_own && !lane.is_own && lane.topic == row.topic && lane.takes == row.takes;
        let at = lanes.iter().position(takes_it).unwrap_or(lanes.len());
        if at == lanes.len() {
            lanes.push(LanePlan { topic: row.topic.to_owned(), takes: row.takes, is_own, seats: Vec::new() });
            rows.push(Vec::new());
        }
        lanes[at].seats.push(SeatPlan { name: row.name.to_owned(), queue });
        rows[at].push(number);
    }
}
