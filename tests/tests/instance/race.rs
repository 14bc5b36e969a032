use daemon_core::instance::{is_daemon_alive, read_lock_pid};

use super::{Arena, Contender, Gate, Result, write};

/// Expects that exactly one has the lock, and that all others name it. Returns its place.
#[track_caller]
fn one_wins(contenders: &mut [Contender]) -> usize {
    let said: Vec<_> = contenders.iter_mut().map(Contender::says).collect();
    let winners: Vec<_> = (0..said.len()).filter(|at| said[*at].starts_with("held by ")).collect();
    let [winner] = *winners else { panic!("{} hold it: {said:?}", winners.len()) };
    let pid = contenders[winner].pid();
    for (at, said) in said.iter().enumerate() {
        let expected = format!("{} by {pid}", if at == winner { "held" } else { "refused" });
        assert_eq!(*said, expected, "{winner} won");
    }
    winner
}

#[test]
fn w9_of_sixteen_who_race_to_start_one_wins_and_the_rest_say_who_did() -> Result {
    let arena = Arena::new()?;
    for left_behind in [None, Some("4194304\n"), Some("")] {
        if let Some(content) = left_behind {
            write(&arena.lock, content)?;
        }
        let (mut gate, mut contenders) = arena.enter(16, &[])?;
        gate.open()?;
        let winner = one_wins(&mut contenders);
        let pid = contenders[winner].pid();
        assert_eq!((read_lock_pid(&arena.lock), is_daemon_alive(&arena.lock)), (Some(pid), true));
        drop(gate);
        for (at, contender) in contenders.iter_mut().enumerate() {
            assert_eq!(contender.end().code(), Some(if at == winner { 0 } else { 69 }));
        }
        assert_eq!(arena.left(), ["witness"]);
    }
    Ok(())
}

/// How the holder of one round goes.
#[derive(Clone, Copy, Debug)]
enum Exit {
    /// Killed, and dead before the next ones start.
    Killed,
    /// Killed at the moment at which the next ones start.
    KilledMeanwhile,
    /// Gives the lock back at the moment at which the next ones start.
    Leaves,
    /// Stays while the next ones start, and is killed then.
    Stays,
}

const EXITS: [Exit; 4] = [Exit::Killed, Exit::KilledMeanwhile, Exit::Leaves, Exit::Stays];
const STARTERS: usize = 4;

/// One round: while `holder` goes, others start. Returns who holds the lock at its end.
fn round(arena: &Arena, exit: Exit, holder: (Gate, Contender)) -> Result<(Gate, Contender)> {
    let (holding, mut holder) = holder;
    let old = holder.pid();
    let (mut gate, mut starters) = arena.enter(STARTERS, &[])?;
    match exit {
        Exit::Killed => {
            holder.kill();
            gate.open()?;
            drop(holding);
            let winner = one_wins(&mut starters);
            return Ok((gate, starters.swap_remove(winner)));
        }
        Exit::KilledMeanwhile => {
            gate.open()?;
            holder.child.kill()?;
        }
        Exit::Leaves => {
            gate.open()?;
            drop(holding);
        }
        Exit::Stays => {
            gate.open()?;
            for starter in &mut starters {
                assert_eq!(starter.says(), format!("refused by {old}"));
            }
            holder.kill();
        }
    }
    holder.end();
    if !matches!(exit, Exit::Stays) {
        let said: Vec<_> = starters.iter_mut().map(Contender::says).collect();
        let winner = said.iter().position(|said| said.starts_with("held by "));
        let pid = winner.map(|at| starters[at].pid());
        for (at, said) in said.iter().enumerate().filter(|(at, _)| Some(*at) != winner) {
            let who = [Some(old), pid].into_iter().flatten().map(|pid| format!("refused by {pid}"));
            assert!(who.into_iter().any(|refused| refused == *said), "{at} said {said:?}, {old} went, {pid:?} won");
        }
        if let Some(winner) = winner {
            return Ok((gate, starters.swap_remove(winner)));
        }
    }
    // All of them came while the old one lived. Now it is dead, and nothing may be in the way.
    let (gate, mut next) = arena.enter_one(&[])?;
    assert_eq!(next.says(), format!("held by {}", next.pid()), "refused for a dead holder");
    Ok((gate, next))
}

/// `ROUNDS` is set by `make race`.
#[test]
fn there_are_never_two_holders_and_no_start_is_refused_for_a_dead_one() -> Result {
    let rounds: usize = std::env::var("ROUNDS").map_or(Ok(60), |rounds| rounds.parse())?;
    let arena = Arena::new()?;
    let (gate, mut first) = arena.enter_one(&[])?;
    assert_eq!(first.says(), format!("held by {}", first.pid()));
    let mut holder = (gate, first);
    for number in 0..rounds {
        let exit = EXITS[number % EXITS.len()];
        holder = round(&arena, exit, holder).map_err(|error| format!("round {number}, {exit:?}: {error}"))?;
    }
    drop(holder.0);
    assert!(holder.1.end().success());
    assert_eq!(arena.left(), ["witness"]);
    Ok(())
}
