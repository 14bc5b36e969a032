//! What the stops of one daemon had to cut, and what has become of it since.
//!
//! What a stop leaves behind, such as a handler that blocks its thread, may end at any later time and tells nobody of it. So
//! whoever asks looks again.

use std::collections::HashMap;
use std::sync::Arc;

use super::report::Cut;
use crate::task::Tasks;

/// The work of one daemon that overran a stop.
#[derive(Default)]
pub(crate) struct Overran(Vec<Line>);

/// A line of the report, and what it stands for.
struct Line {
    /// The life whose stop cut it; the latest, if several did.
    life: u64,
    cut: Cut,
    there: Vec<Piece>,
}

/// A piece of work that was still there when it was booked.
struct Piece {
    life: u64,
    tasks: Arc<Tasks>,
    number: u64,
}

impl Overran {
    /// Books work, by its number, that the stop of a life has cut. Returns what is not known yet: of work of one name that is still
    /// there, one line is enough.
    pub(crate) fn book(&mut self, life: u64, tasks: &Arc<Tasks>, work: impl Iterator<Item = (u64, Cut)>) -> Vec<Cut> {
        self.look_again(life); // what has ended since is not what is booked now
        let still_there = self.0.iter().enumerate().filter(|(_, line)| !line.cut.gone);
        let mut still_there: HashMap<String, usize> =
            still_there.map(|(at, line)| (line.cut.work.clone(), at)).collect();
        let mut news = Vec::new();
        for (number, cut) in work {
            let there = (!cut.gone).then(|| Piece { life, tasks: tasks.clone(), number });
            if let Some(known) = still_there.get(&cut.work).map(|at| &mut self.0[*at]) {
                known.life = life;
                known.there.extend(there);
                continue;
            }
            if there.is_some() {
                still_there.insert(cut.work.clone(), self.0.len());
            }
            news.push(cut.clone());
            self.0.push(Line { life, cut, there: there.into_iter().collect() });
        }
        news
    }

    /// Looks what has ended by now. Of the stop of the `latest` life it stays told; of those before it is over.
    pub(crate) fn look_again(&mut self, latest: u64) {
        self.0.retain_mut(|line| {
            line.there.retain(|piece| piece.tasks.has_number(piece.number));
            line.cut.gone = line.there.is_empty();
            !line.cut.gone || line.life == latest
        });
    }

    /// What was cut, as it was when it was looked at last.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
        self.0.iter().map(|line| line.cut.clone()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something was still there when it was looked at last.
    pub(crate) fn is_there(&self, life: u64) -> bool {
        self.0.iter().flat_map(|line| &line.there).any(|piece| piece.life == life)
    }

    /// The lives other than `latest` of which something may still be there, with their work.
    pub(crate) fn earlier(&self, latest: u64) -> Vec<(u64, Arc<Tasks>)> {
        let pieces = self.0.iter().flat_map(|line| &line.there).filter(|piece| piece.life != latest);
        let mut lives: Vec<_> = pieces.map(|piece| (piece.life, piece.tasks.clone())).collect();
        lives.sort_by_key(|(life, _)| *life);
        lives.dedup_by_key(|(life, _)| *life);
        lives
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::TaskKind;
    use crate::task::{Label, Owner};

    /// The work of a life: one piece that goes on until it is told to end.
    fn working() -> (Arc<Tasks>, tokio::sync::oneshot::Sender<()>) {
        let tasks = Tasks::new(tokio::runtime::Handle::current(), Owner::nobody());
        let (end, told) = tokio::sync::oneshot::channel();
        let work = async move { drop(told.await) };
        assert!(tasks.spawn(Label::new(TaskKind::Task, "pump"), work).is_some());
        (tasks, end)
    }

    fn book(overran: &mut Overran, life: u64, tasks: &Arc<Tasks>, gone: bool) -> usize {
        let work = tasks.numbered();
        overran.book(life, tasks, work.iter().map(|(number, task)| (*number, Cut::new(task, gone, &[])))).len()
    }

    #[tokio::test]
    async fn work_of_a_name_is_news_unless_other_work_of_that_name_is_still_there() {
        let (mut overran, (first, end), (second, _end)) = (Overran::default(), working(), working());
        assert_eq!(book(&mut overran, 1, &first, false), 1);
        assert_eq!(book(&mut overran, 2, &second, false), 0, "the first is still there");
        drop(end);
        first.idle(&|_| true).await;
        let (third, _end) = working();
        assert_eq!(book(&mut overran, 3, &third, false), 0, "the second is still there");
        drop(third.abort_all());
        drop(second.abort_all());
        second.idle(&|_| true).await;
        third.idle(&|_| true).await;
        let (fourth, _end) = working();
        assert_eq!(book(&mut overran, 4, &fourth, true), 1, "none of the others is there any more");
        let cuts = overran.cuts();
        assert!(cuts.len() == 1 && cuts[0].gone, "it alone is told of: {cuts:?}");
    }

    #[tokio::test]
    async fn what_is_gone_is_told_apart_from_what_is_still_there_of_its_name() {
        let (mut overran, (work, _end)) = (Overran::default(), working());
        let (number, task) = work.numbered().remove(0);
        let cuts = [true, false, false].map(|gone| (number, Cut::new(&task, gone, &[])));
        let news = overran.book(1, &work, cuts.into_iter());
        assert_eq!(news.iter().map(|cut| cut.gone).collect::<Vec<_>>(), [true, false], "{news:?}");
    }

    #[tokio::test]
    async fn the_lives_before_are_told_of_once_each_in_their_order() {
        let (mut overran, (first, _end), (second, _other)) = (Overran::default(), working(), working());
        let more = first.spawn(Label::new(TaskKind::Task, "drain"), std::future::pending());
        assert!(more.is_some());
        assert_eq!((book(&mut overran, 1, &first, false), book(&mut overran, 2, &second, false)), (2, 0));
        assert_eq!(overran.earlier(3).iter().map(|(life, _)| *life).collect::<Vec<_>>(), [1, 2]);
    }

    #[tokio::test]
    async fn what_was_there_is_told_of_as_the_latest_life_s_and_counts_for_each_life() {
        let (mut overran, (first, end), (second, other)) = (Overran::default(), working(), working());
        assert_eq!(book(&mut overran, 1, &first, true), 1, "gone");
        assert_eq!(book(&mut overran, 1, &first, false), 1, "what is gone by now is another");
        assert_eq!(book(&mut overran, 2, &second, false), 0);
        assert_eq!([1, 2, 3].map(|life| overran.is_there(life)), [true, true, false]);
        assert_eq!(overran.earlier(2).iter().map(|(life, _)| *life).collect::<Vec<_>>(), [1]);
        drop((end, other));
        first.idle(&|_| true).await;
        second.idle(&|_| true).await;
        overran.look_again(2);
        assert!(matches!(&overran.cuts()[..], [cut] if cut.gone), "{:?}", overran.cuts());
        overran.look_again(3);
        assert!(overran.is_empty());
    }
}
