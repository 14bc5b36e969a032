use super::*;

fn daemon() -> DaemonStop {
    DaemonStop {
        name: "store".to_owned(),
        wave: 1,
        requires: Vec::new(),
        started_ms: Some(1),
        stopped_ms: Some(9),
        state: State::Stopped,
        stop_ms: 3,
        reason: None,
        restarts: 0,
        cut: Vec::new(),
        problems: Vec::new(),
        errors: 0,
        panics: 0,
    }
}

fn handler() -> HandlerStop {
    HandlerStop { name: "src/main.rs:7".to_owned(), stop_ms: 1, problem: None, cut: None }
}

fn cut() -> Cut {
    Cut {
        work: "task `pump`".to_owned(),
        spawned_at: "src/main.rs:7".to_owned(),
        polls: 1,
        idle_ms: Some(1),
        waits_in: None,
        blocking: false,
        gone: true,
        behind: Vec::new(),
    }
}

fn clean() -> ShutdownReport {
    let (daemons, handlers) = (vec![daemon()], vec![handler()]);
    ShutdownReport { daemons, handlers, ..ShutdownReport::refused("t".to_owned(), 0, "not at all") }
}

/// Makes something wrong in a report; and how that reads.
type Wrong = (fn(&mut ShutdownReport), &'static str);

const WRONG: [Wrong; 9] = [
    (|report| report.exit_code = 1, "exit code 1"),
    (|report| report.problems.push("the lock is still there".to_owned()), "\n  the lock is still there\n"),
    (|report| report.cut.push(cut()), "\n  task `pump` was aborted, 1 ms after it last ran (polled once"),
    (|report| report.blocked_threads = 1, "\n  1 worker thread blocked by what was not spawned through the host\n"),
    (|report| report.left.tasks = 2, "\n  left: 0 subscriptions, 0 intervals, 2 tasks\n"),
    (|report| report.daemons[0].cut.push(cut()), "\n          task `pump` was aborted, 1 ms after it last ran (polled"),
    (|report| report.daemons[0].problems.push("cleanup: no".to_owned()), "\n          cleanup: no\n"),
    (|report| report.handlers[0].problem = Some("no".to_owned()), "  shutdown handler src/main.rs:7     1 ms  no\n"),
    (|report| report.handlers[0].cut = Some(cut()), "\n          task `pump` was aborted, 1 ms after it last ran"),
];

#[test]
fn one_thing_that_is_wrong_is_enough_for_a_report_not_to_be_clean_and_is_told() {
    assert!(clean().is_clean());
    for (wrong, told) in WRONG {
        let mut report = clean();
        wrong(&mut report);
        assert!(!report.is_clean() && report.to_string().contains(told), "{told:?}: {report}");
    }
}

#[test]
fn whatever_is_to_be_said_of_a_run_is_said() {
    let mut report = clean();
    let of = &mut report.daemons[0];
    (of.errors, of.panics, of.restarts, of.reason) = (1, 2, 3, Some("no luck".to_owned()));
    let account = |subscription: &str, offered| EventAccount {
        subscription: subscription.to_owned(),
        offered,
        handled: offered,
        failed: 0,
        dropped: 0,
        abandoned: 0,
    };
    report.events = vec![account("store.said", 7), account("store.silent", 0)];
    report.unheard = vec![Unheard { topic: "a:b".to_owned(), publisher: "store".to_owned(), events: 1 }];
    let text = report.to_string();
    for said in [
        "  wave 1  store  stopped      3 ms  1 error  2 panics  3 restarts  no luck\n",
        "  events        offered   handled  failed dropped abandoned\n  store.said          7         7       0       0         0\n",
        "  nobody heard `a:b`: 1 event, the first from `store`\n",
    ] {
        assert!(text.contains(said), "{said:?}: {text}");
    }
    assert!(!text.contains("silent"), "{text}");
    for unsaid in ["error", "blocked", "events"] {
        assert!(!clean().to_string().contains(unsaid), "what did not happen is not told: {}", clean());
    }
}

#[test]
fn a_start_says_who_failed_and_whether_anybody_did() {
    let daemon = |state, reason: Option<&str>| DaemonStart {
        name: "store".to_owned(),
        wave: 1,
        optional: false,
        state,
        waited_for: None,
        waited_ms: 0,
        took_ms: 5,
        reason: reason.map(str::to_owned),
    };
    let told = |started, daemon| {
        let (name, notes) = ("t".to_owned(), vec!["it is late".to_owned()]);
        StartReport { name, started, took_ms: 7, daemons: vec![daemon], notes }.to_string()
    };
    let note = "  note: it is late\n";
    assert_eq!(
        told(true, daemon(State::Running, None)),
        format!("t started: 1 daemon in 7 ms\n  wave 1  store  running      5 ms\n{note}")
    );
    assert_eq!(
        told(false, daemon(State::Failed, Some("no luck"))),
        format!("t did not start: 1 daemon in 7 ms\n  wave 1  store  failed       5 ms  no luck\n{note}")
    );
    assert_eq!(
        told(false, daemon(State::Stopped, None)),
        format!("t was stopped while it started: 1 daemon in 7 ms\n  wave 1  store  stopped\n{note}")
    );
}

#[test]
fn a_time_too_long_to_be_told_is_the_longest_that_can_be() {
    assert_eq!(millis(Duration::MAX), u64::MAX);
}
