use super::*;
use crate::from_fn;
use daemon_core::CheckOptions;
use proptest::prelude::*;
use std::{collections::BTreeSet as Set, future::pending, time::Duration};

/// A board, and hands that do what a test says.
struct Stage {
    board: Board,
    now: Moment,
    hands: Vec<u64>,
    held: Vec<Work>,
}

fn entry(name: &str, options: CheckOptions) -> Box<Entry> {
    Box::new(Entry::new(Arc::new(from_fn(name, pending)), name.into(), options))
}

impl Stage {
    fn new() -> Self {
        Self { board: Board::default(), now: Moment::default(), hands: Vec::new(), held: Vec::new() }
    }

    fn register(&mut self, name: &str, timeout: Duration) -> bool {
        let options = CheckOptions::default().timeout(timeout);
        self.board.register(entry(name, options), self.now).is_ok()
    }

    fn ask(&mut self, query: &HealthQuery) -> (Question, Vec<Awaited>) {
        let question = self.board.pick(query);
        let awaited = self.board.ask(&question, self.now, |_| true, &mut After::default());
        self.hands.extend(self.board.needs_hand());
        (question, awaited)
    }

    /// One step of the last hand; what it polls it holds.
    fn step(&mut self) -> bool {
        let Some(hand) = self.hands.last().copied() else { return false };
        let mut after = After::default();
        match self.board.step(hand, None, &mut after) {
            Step::Poll(work) => self.held.push(work),
            Step::Do => assert!(!after.is_empty(), "there is something to do"),
            Step::Book => self.board.book(self.now, &mut after),
            Step::Sleep => return false,
            Step::End => {
                self.hands.pop();
            }
        }
        true
    }

    /// Gives back what is held, answered or not.
    fn give_back(&mut self, at: usize, is_answered: bool) {
        if self.held.is_empty() {
            return;
        }
        let Work { place, number, seat } = self.held.swap_remove(at % self.held.len());
        let seat = seat.unwrap_or_else(|check| Seat::new(check, Waker::noop().clone()));
        let (seat, answer) = (Some(seat), is_answered.then(Verdict::healthy));
        self.board.take_back(Polled { place, number, seat, answer }, &mut After::default());
    }
}

#[test]
fn the_deadlines_of_what_was_answered_are_forgotten_though_something_never_ends() {
    let mut stage = Stage::new();
    assert!(stage.register("slow", Duration::from_secs(3600)) && stage.register("a-quick", Duration::from_secs(3600)));
    for _ in 0..1000 {
        let (question, _) = stage.ask(&HealthQuery::all());
        while stage.step() && stage.held.is_empty() {}
        // The quick one is first by name; the slow one stays with its hand.
        let quick = stage.held.iter().position(|held| held.place == 1);
        if let Some(quick) = quick {
            stage.give_back(quick, true);
        } else {
            while stage.step() {}
            let quick = stage.held.iter().position(|held| held.place == 1).unwrap();
            stage.give_back(quick, true);
        }
        stage.board.book(stage.now, &mut After::default());
        stage.board.let_go(&question, &mut After::default());
    }
    assert!(stage.board.deadlines.len() <= 64 + 2 * 2, "{}", stage.board.deadlines.len());
}

#[test]
fn what_was_unregistered_stays_for_whoever_asked_before_and_no_longer() {
    let mut stage = Stage::new();
    stage.register("a", Duration::from_secs(1));
    let before = stage.board.pick(&HealthQuery::all());
    assert!(stage.board.unregister("a", &mut After::default()));
    stage.register("a", Duration::from_secs(1));
    let since = stage.board.pick(&HealthQuery::all());
    assert_ne!(before.of.places, since.of.places);
    assert_eq!(stage.board.picked(&before).count(), 1);
    let mut after = After::default();
    stage.board.let_go(&before, &mut after);
    assert_eq!((after.drop.len(), stage.board.picked(&before).count()), (1, 0));
    stage.board.let_go(&since, &mut after);
    assert_eq!(stage.board.picked(&since).count(), 1);
}

#[derive(Clone, Debug)]
enum Act {
    Register(u8),
    Unregister(u8),
    Ask,
    LetGo(usize),
    Step,
    GiveBack(usize, bool),
    Wake(usize),
    Pass(u64),
    Relieve,
    Abandon,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0..6_u8).prop_map(Act::Register),
        1 => (0..6_u8).prop_map(Act::Unregister),
        1 => Just(Act::Ask),
        1 => any::<usize>().prop_map(Act::LetGo),
        4 => Just(Act::Step),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(at, is_answered)| Act::GiveBack(at, is_answered)),
        2 => (0..8_usize).prop_map(Act::Wake),
        2 => (0..700_u64).prop_map(Act::Pass),
        1 => Just(Act::Relieve),
        1 => Just(Act::Abandon),
    ]
}

proptest! {
    /// Whatever happens in whatever order, every call ends, no two hands have one future, and in the end nothing is left.
    #[test]
    fn every_call_ends_and_nothing_is_left(acts in prop::collection::vec(act(), 0..200)) {
        let mut stage = Stage::new();
        let mut questions: Vec<(Question, Vec<Awaited>)> = Vec::new();
        let mut seen = None;
        for act in acts {
            match act {
                Act::Register(name) => {
                    let is_new = !stage.board.names.contains_key(&*format!("{name}"));
                    prop_assert_eq!(stage.register(&format!("{name}"), Duration::from_millis(1 + 500 * u64::from(name))), is_new);
                }
                Act::Unregister(name) => {
                    let is_there = stage.board.names.contains_key(&*format!("{name}"));
                    prop_assert_eq!(stage.board.unregister(&format!("{name}"), &mut After::default()), is_there);
                }
                Act::Ask => questions.push(stage.ask(&HealthQuery::all())),
                Act::LetGo(at) if !questions.is_empty() => {
                    let (question, _) = questions.swap_remove(at % questions.len());
                    prop_assert_eq!(stage.board.picked(&question).count(), question.of.places.len(), "kept till now");
                    stage.board.let_go(&question, &mut After::default());
                }
                Act::LetGo(_) => {}
                Act::Step => drop(stage.step()),
                Act::GiveBack(at, is_answered) => stage.give_back(at, is_answered),
                Act::Wake(place) => stage.board.woken(&mut vec![place]),
                Act::Pass(millis) => {
                    stage.now = stage.now.after(Duration::from_millis(millis));
                    stage.board.give_up(stage.now, &mut After::default());
                    stage.board.ask_planned(stage.now, &mut After::default());
                    stage.hands.extend(stage.board.needs_hand());
                }
                Act::Relieve => stage.hands.extend(stage.board.relief(&mut seen)),
                Act::Abandon => {
                    if let Some(hand) = stage.hands.pop() {
                        stage.board.abandon(hand, stage.now, &mut After::default());
                    }
                }
            }
            let held: Set<_> = stage.held.iter().map(|held| held.place).collect();
            prop_assert_eq!(held.len(), stage.held.len(), "one hand has it");
            let calls = stage.board.entries.iter().flatten().filter(|entry| entry.calls.under_way().is_some()).count();
            prop_assert_eq!(calls, stage.board.under_way);
        }
        // Nobody answers any more: the time of all is up.
        stage.now = stage.now.after(Duration::from_secs(3600));
        stage.board.give_up(stage.now, &mut After::default());
        for (question, awaited) in &questions {
            prop_assert!(awaited.iter().all(|call| stage.board.is_answered(call, None)));
            stage.board.let_go(question, &mut After::default());
        }
        while !stage.held.is_empty() {
            stage.give_back(0, false);
        }
        stage.board.unregister_all(&mut After::default());
        stage.hands.extend(stage.board.needs_hand());
        while stage.step() {}
        prop_assert!(stage.board.is_idle() && stage.board.entries.iter().all(Option::is_none));
        prop_assert!(stage.board.deadlines.len() == 0 && stage.board.answers.is_empty() && stage.board.plan.is_empty() && stage.board.kept.is_empty());
    }
}

#[test]
fn a_hand_that_stays_in_a_poll_is_relieved_if_others_wait_and_only_then() {
    let mut stage = Stage::new();
    stage.register("a", Duration::from_secs(1));
    let (_, awaited) = stage.ask(&HealthQuery::all());
    let mut seen = None;
    assert!(stage.step() && stage.board.relief(&mut seen).is_none(), "seen for the first time");
    assert!(stage.board.relief(&mut seen).is_none(), "nobody waits");
    stage.register("b", Duration::from_secs(1));
    let (_, both) = stage.ask(&HealthQuery::all());
    assert_eq!((awaited[0].number, both.len()), (both[0].number, 2), "the call under way is joined");
    let relief = stage.board.relief(&mut seen).unwrap();
    assert!(
        matches!(stage.board.step(stage.hands[0], None, &mut After::default()), Step::End),
        "another has taken over"
    );
    stage.hands.push(relief);
    assert!(stage.step());
    assert_eq!(stage.held.len(), 2);
}
