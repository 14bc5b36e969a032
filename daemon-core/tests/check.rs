//! `Host::check`: everything that would keep a host from starting, all at once, in words that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{
    BoxFuture, Check, CheckKind, CheckOptions, Command, Context, DaemonBase, Declaration, Declared, Deferred,
    Definition, Dependency, Event, EventHandler, Host, Interval, OnError, OnReady, Restart, RestartPolicy, Result,
    Schedule, StartError, Task, Wired, daemon, place,
};
use probe::S;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Declares a daemon by hand, so that nothing has been checked before the host does.
macro_rules! by_hand {
    ($($name:ident $text:literal: $declare:expr;)+) => {$(
        #[derive(Default)]
        struct $name;
        impl Declared for $name {
            // Not that of the declaration: a cycle would be one of constants.
            const NAME: &'static str = $text;
            const DECLARATION: Declaration = $declare;
        }
        impl Wired for $name {
            fn wire(_: &mut Definition<Self>) {}
        }
        impl DaemonBase for $name {}
    )+};
}

by_hand! {
    Plain "plain": Declaration::new("plain");
    NeedsPlain "needs-plain": Declaration::new("needs-plain").requires(&[Dependency::on::<Plain>()]);
    WantsPlain "wants-plain": Declaration::new("wants-plain").wants(&[Dependency::on::<Plain>()]);
    NeedsEu "needs-eu": Declaration::new("needs-eu").requires(&[Dependency::named::<Plain>("eu")]);
    Twice "twice": Declaration::new("twice").requires(&[Dependency::on::<Plain>(), Dependency::on::<Plain>()]);
    Itself "itself": Declaration::new("itself").requires(&[Dependency::on::<Itself>()]);
    A "a": Declaration::new("a").requires(&[Dependency::on::<B>()]);
    B "b": Declaration::new("b").wants(&[Dependency::on::<C>()]);
    C "c": Declaration::new("c").requires(&[Dependency::on::<A>()]);
    NoTime "no-time": Declaration::new("no-time").start_timeout(Duration::ZERO).stop_timeout(Duration::ZERO);
    BadName "Bad Name": Declaration::new("Bad Name");
    Bottom "bottom": Declaration::new("bottom").stop_timeout(S_4);
    Middle "middle": Declaration::new("middle").requires(&[Dependency::on::<Bottom>()]);
    Top "top": Declaration::new("top").wants(&[Dependency::on::<Middle>()]).stop_timeout(S_4);
}
const S_4: Duration = Duration::from_secs(4);

#[track_caller]
fn faults(host: Host) -> Vec<String> {
    host.check().expect_err("a fault").faults
}

/// Asserts one fault that says each of these.
#[track_caller]
fn assert_fault(host: Host, says: &[&str]) {
    let faults = faults(host);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    for part in says {
        assert!(faults[0].contains(part), "{:?} does not say {part:?}", faults[0]);
    }
}

#[test]
fn a_sound_host_has_nothing_to_remark() {
    let host = Host::new("t").daemon(Plain).daemon(NeedsPlain).daemon(WantsPlain);
    assert!(host.check().unwrap().notes.is_empty());
}

#[test]
fn a_wanted_daemon_that_is_absent_is_a_note() {
    let report = Host::new("t").daemon(WantsPlain).check().unwrap();
    assert_eq!(report.notes, ["`wants-plain` wants `plain`, which is absent"]);
}

#[test]
fn a_required_daemon_that_is_absent() {
    let says = "`needs-plain` requires `plain`, which is missing here; add it";
    assert_fault(Host::new("t").daemon(NeedsPlain), &[says]);
}

#[test]
fn two_daemons_of_one_name() {
    assert_fault(
        Host::new("t").daemon(Plain).daemon(Plain),
        &["two daemons are named `plain`", "remove one, or give it a name of its own: `.daemon_as(\"name\", ..)`"],
    );
}

#[test]
fn daemons_of_one_name_are_told_of_in_the_order_of_their_names() {
    let names = ["eu", "us", "asia", "africa", "oceania", "antarctica"];
    let host = names.iter().fold(Host::new("t"), |host, name| host.daemon_as(name, Plain).daemon_as(name, Plain));
    let faults = faults(host);
    assert!(faults.len() == names.len() && faults.is_sorted(), "{faults:#?}");
}

#[test]
fn names_that_are_none() {
    assert_fault(Host::new("Not A Host").daemon(Plain), &["the host's name: ", "Not A Host"]);
    assert_fault(Host::new("t").daemon(BadName), &["a daemon's name: ", "Bad Name"]);
}

#[test]
fn an_instance_that_is_not_named_though_there_are_two() {
    let host = Host::new("t").daemon_as("eu", Plain).daemon_as("us", Plain).daemon(NeedsPlain);
    assert_fault(host, &["`needs-plain` requires `plain`, of which this host has several: `eu`, `us`"]);
    let host = Host::new("t").daemon_as("eu", Plain).daemon_as("us", Plain).daemon(Reacts);
    assert_fault(host, &["`reacts` on_ready `plain`, of which this host has several: `eu`, `us`"]);
    Host::new("t").daemon_as("eu", Plain).daemon_as("us", Plain).daemon(NeedsEu).check().expect("it says which");
}

/// Reacts to the readiness of a daemon.
struct Reacts;
impl Declared for Reacts {
    const DECLARATION: Declaration = Declaration::new("reacts");
}
impl Wired for Reacts {
    fn wire(definition: &mut Definition<Self>) {
        definition.on_ready(OnReady::new("react", Dependency::on::<Plain>(), nothing));
    }
}
impl DaemonBase for Reacts {}

#[test]
fn another_type_under_the_name() {
    let host = Host::new("t").daemon_as("eu", Top).daemon(Middle).daemon(Bottom).daemon(NeedsEu);
    assert_fault(host, &["`needs-eu` requires `eu`, but the daemon of that name is another type", "Top"]);
}

#[test]
fn a_dependency_given_twice() {
    assert_fault(Host::new("t").daemon(Plain).daemon(Twice), &["`twice` requires `plain` twice"]);
}

#[test]
fn cycles_through_either_kind() {
    assert_fault(Host::new("t").daemon(Itself), &["dependency cycle: `itself` requires itself; remove it"]);
    let says =
        "dependency cycle: `a` requires `b`, which wants `c`, which requires `a`; remove one, or use `#[on_ready(..)]`";
    assert_fault(
        Host::new("t").stop_budget(S(9)).start_budget(S(9)).daemon(A).daemon(B).daemon(C).daemon(Plain),
        &[says],
    );
}

#[test]
fn limits_of_zero() {
    assert_fault(Host::new("t").stop_budget(Duration::ZERO), &["the stop budget is zero"]);
    assert_fault(Host::new("t").start_timeout(Duration::ZERO), &["the start timeout is zero"]);
    assert_fault(Host::new("t").start_budget(Duration::ZERO), &["the start budget is zero"]);
    let warned = Host::new("t").warn_blocked_after(Duration::ZERO);
    assert_fault(warned, &["blocked workers are to be warned of after no time; give them some, or `None`"]);
    Host::new("t").warn_blocked_after(None).check().expect("off");
    assert_fault(Host::new("t").workers(0), &["the host has no workers; give it at least one"]);
    let most = &["the host has 4097 workers, which are threads; give it at most 4096"];
    assert_fault(Host::new("t").workers(4_097), most);
    assert_eq!(
        faults(Host::new("t").daemon(NoTime)),
        [
            "the start timeout of `no-time` is zero; give it some time",
            "the stop timeout of `no-time` is zero; give it some time"
        ]
    );
}

#[test]
fn restarts_that_make_no_sense() {
    const NONSENSE: RestartPolicy =
        RestartPolicy::new(Restart::OnFailure).backoff(Duration::ZERO, S_4).limit(0, Duration::ZERO);
    const BACKWARDS: RestartPolicy = RestartPolicy::new(Restart::Always).backoff(S_4, Duration::from_secs(1));
    by_hand! {
        Hasty "hasty": Declaration::new("hasty").restart(NONSENSE);
        Never "never": Declaration::new("never").restart(RestartPolicy::new(Restart::Never).limit(0, Duration::ZERO));
    }
    assert_eq!(
        faults(Host::new("t").daemon(Hasty).daemon(Never)),
        [
            "the restarts of `hasty`: its limit allows none; say `never`",
            "the restarts of `hasty`: its limit is for no time; give it some",
            "the restarts of `hasty`: its first delay is zero, and doubling it changes nothing; give it some time",
        ],
        "those of one that never restarts do not matter"
    );
    struct Runs;
    impl Declared for Runs {
        const DECLARATION: Declaration = Declaration::new("runs");
    }
    impl Wired for Runs {
        fn wire(definition: &mut Definition<Self>) {
            let mut unstable = RestartPolicy::default();
            unstable.stable_after = Duration::ZERO;
            definition
                .task(Task::new("back", nothing).restart(BACKWARDS))
                .task(Task::new("un", nothing).restart(unstable));
        }
    }
    impl DaemonBase for Runs {}
    assert_eq!(
        faults(Host::new("t").daemon(Runs)),
        [
            "the restarts of task `back` of `runs`: its first delay of 4s is longer than its greatest of 1s; swap them",
            "the restarts of task `un` of `runs`: every life would count as stable, and no delay ever double",
        ]
    );
}

/// What keeps a daemon from being added to that host.
async fn refusal(host: Host, daemon: impl DaemonBase) -> String {
    let host = host.start().await.unwrap();
    let refused = host.handle().add_daemon(daemon).await.unwrap_err();
    let before = host.start_report().daemons.len();
    assert_eq!(host.handle().status().daemons.len(), before, "what is refused leaves no trace");
    assert!(host.shutdown().await.unwrap().is_clean());
    refused.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_added_is_checked_in_the_same_words() {
    let refused = refusal(Host::new("t").daemon(Plain), NoTime).await;
    for fault in ["the start timeout of `no-time` is zero", "the stop timeout of `no-time` is zero"] {
        assert!(refused.contains(fault), "{refused}");
    }
    let several = || Host::new("t").daemon(Plain).daemon_as("eu", Plain);
    let other = || Host::new("t").daemon_as("plain", Bottom);
    let budget = |budget| Host::new("t").daemon(Middle).daemon(Bottom).stop_budget(budget);
    // As a host that had it from the beginning says.
    let same = [
        (refusal(several(), NeedsPlain).await, several().daemon(NeedsPlain)),
        (refusal(other(), WantsPlain).await, other().daemon(WantsPlain)),
        (refusal(Host::new("t").daemon(Plain), Twice).await, Host::new("t").daemon(Plain).daemon(Twice)),
        (refusal(Host::new("t").stop_budget(S(9)), Itself).await, Host::new("t").stop_budget(S(9)).daemon(Itself)),
        (refusal(budget(S(7)), Top).await, budget(S(7)).daemon(Top)),
        (refusal(budget(S(9)).shutdown_timeout(S(2)), Top).await, budget(S(9)).shutdown_timeout(S(2)).daemon(Top)),
    ];
    for (refused, host) in same {
        let faults = faults(host);
        assert!(refused.ends_with(&format!(" cannot be added: {}", faults.join("; "))), "{refused}\n{faults:#?}");
    }
    let refused = refusal(Host::new("t").daemon(Plain), NeedsEu).await;
    assert_eq!(refused, "no daemon named `eu`; this host has: plain");
    assert!(matches!(refusal(Host::new("t").daemon(Plain), BadName).await, bad if bad.contains("Bad Name")));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_fault_at_the_start_is_none_later() {
    let host = Host::new("t").daemon(Middle).daemon(Bottom).stop_budget(S(8)).start_budget(S(8)).start().await.unwrap();
    by_hand! {
        // It comes after the start that the budget is for.
        Patient "patient": Declaration::new("patient").start_timeout(S_9);
    }
    const S_9: Duration = Duration::from_secs(9);
    host.handle().add_daemon(Top).await.expect("just enough");
    host.handle().add_daemon(WantsPlain).await.expect("what it wants is absent");
    host.handle().add_daemon(Patient).await.expect("the start is over");
    host.handle().add_daemon(Plain).await.unwrap();
    // What has been found stays found, though there are two now.
    host.handle().add_daemon(NeedsPlain).await.unwrap();
    host.handle().add_daemon_as("eu", Plain).await.unwrap();
    host.handle().restart_daemon("needs-plain").await.unwrap();
    host.handle().add_daemon(NeedsEu).await.unwrap();
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[test]
fn declared_stop_timeouts_that_exceed_a_declared_budget_along_a_chain() {
    let host = |budget| Host::new("t").daemon(Top).daemon(Middle).daemon(Bottom).stop_budget(budget);
    assert_fault(
        host(S(7)),
        &["along the chain that begins with `top`", "8s", "stop budget of 7s", "raise the budget or lower a timeout"],
    );
    host(S(8)).check().expect("what is not declared does not count");
    Host::new("t").daemon(Top).daemon(Middle).daemon(Bottom).check().expect("the default budget was not declared");
    // side by side they do not add up
    by_hand! { Beside "beside": Declaration::new("beside").stop_timeout(S_4); }
    Host::new("t").daemon(Bottom).daemon(Beside).stop_budget(S_4).check().expect("no chain");
}

#[test]
fn start_timeouts_that_exceed_a_declared_budget() {
    by_hand! {
        Below "below": Declaration::new("below").start_timeout(S_4);
        Above "above": Declaration::new("above").requires(&[Dependency::on::<Below>()]).start_timeout(S_4);
    }
    let host = |budget| Host::new("t").daemon(Above).daemon(Below).start_budget(budget);
    let says = ["the start timeouts declared along the chain that begins with `above`", "8s", "start budget of 7s"];
    assert_fault(host(S(7)), &says);
    host(S(8)).check().expect("just enough");
    let says = "the start timeout of 9s is longer than the start budget of 8s; raise the budget or lower the timeout";
    assert_fault(host(S(8)).start_timeout(S(9)), &[says]);
    host(S(8)).start_timeout(S(8)).check().expect("the same time for one and for all");
}

#[derive(Event)]
#[event("a:b:c", local)]
struct One;
#[derive(Event)]
#[event("a:b:c", local)]
struct Other;

fn nothing<D>(_: &D, _: &Context) -> BoxFuture<'static, Result<()>> {
    Box::pin(std::future::ready(Ok(())))
}

macro_rules! takes {
    ($($name:ident $text:literal: $event:ty;)+) => {$(
        struct $name;
        impl Declared for $name {
            const DECLARATION: Declaration = Declaration::new($text);
        }
        impl Wired for $name {
            fn wire(definition: &mut Definition<Self>) {
                definition.on_event(EventHandler::<Self>::typed::<$event>("take", |_, _| {
                    place(|event: Arc<$event>| async move { (event, Ok(())) })
                }));
            }
        }
        impl DaemonBase for $name {}
    )+};
}
takes! {
    TakesOne "takes-one": One;
    TakesOther "takes-other": Other;
}

#[test]
fn two_types_on_one_topic() {
    let host = Host::new("t").daemon(TakesOne).daemon(TakesOther);
    let says = ["topic `a:b:c` carries ", "::One for `takes-one.take`", "::Other for `takes-other.take`"];
    assert_fault(host, &says);
    Host::new("t").daemon(TakesOne).daemon_as("again", TakesOne).check().expect("one type, two subscribers");
}

fn heard<D: Send + Sync + 'static>(name: &'static str) -> EventHandler<D> {
    EventHandler::typed::<One>(name, |_, _| place(|event: Arc<One>| async move { (event, Ok(())) }))
}

struct Rows;
impl Declared for Rows {
    const DECLARATION: Declaration = Declaration::new("rows");
}
impl Wired for Rows {
    fn wire(definition: &mut Definition<Self>) {
        definition
            .every(Interval::new("beat", Duration::ZERO, nothing))
            .every(Interval::new("beat", S_4, nothing))
            .every(Interval::new("slow", Schedule::every(S_4).timeout(S_4), nothing))
            .every(Interval::new("No Name", S_4, nothing))
            .on_ready(OnReady::new("react", Dependency::on::<Plain>(), nothing))
            .check(Check::new("well", CheckKind::Readiness, nothing))
            .check(Check::new("well", CheckKind::Liveness, nothing))
            .check(Check::new("hasty", CheckOptions::default().timeout(Duration::ZERO), nothing))
            .check(Check::new("never", CheckOptions::default().every(Duration::ZERO), nothing))
            .check(Check::new("brittle", CheckOptions::default().fails(0), nothing))
            .check(Check::new("easy", CheckOptions::default().passes(0), nothing))
            .check(Check::new("grouped", CheckOptions::default().group("no group"), nothing))
            .check(Check::new("both", CheckOptions::default().soft().on_error(OnError::Restart), nothing))
            .task(Task::new("pump", nothing))
            .task(Task::new("pump", nothing))
            .deferred(Deferred::new("later", S_4, nothing))
            .deferred(Deferred::new("later", S_4, nothing))
            .on_event(heard("hears").queue("heard").capacity(3))
            .on_event(heard("listens").queue("heard").capacity(4))
            .command(Command::new("ask", "", |_, (), _| Box::pin(async { Ok(()) })).timeout(Duration::ZERO))
            .command(Command::new("tell", "", |_, (), _| Box::pin(async { Ok(()) })))
            .command(Command::new("tell", "", |_, (), _| Box::pin(async { Ok(()) })));
    }
}
impl DaemonBase for Rows {}

#[test]
fn every_fault_of_a_definition_is_told_at_once() {
    let error = Host::new("t").workers(0).daemon(Rows).check().unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("this host cannot start, for 18 faults\n  - "), "{text}");
    for says in [
        "the host has no workers",
        "`rows` has two intervals named `beat`; rename one",
        "`rows`: interval `beat` has a period of zero; give it a positive one",
        "`rows`: interval `slow` has a timeout of 4s and a period of 4s, so ticks could overlap; give it a timeout above zero",
        "an interval of `rows`: ",
        "`rows` has two checks named `well`; rename one",
        "check `hasty` of `rows` has a timeout of zero",
        "check `never` of `rows` has a period of zero",
        "check `brittle` of `rows` fails after no failure",
        "check `easy` of `rows` passes after no pass",
        "check `grouped` of `rows` has a group whose name does not serve: ",
        "check `both` of `rows` is soft, so its failures have no consequences",
        "command `ask` of `rows` has a timeout of zero; give it some time",
        "queue `heard` of `rows`: `hears` gives it capacity 3 and `listens` capacity 4; give it once",
        "`rows` has two tasks named `pump`; rename one",
        "`rows` has two deferred calls named `later`; rename one",
        "`rows` has two commands named `tell`; rename one",
        "`rows` reacts to the readiness of `plain`, which is missing here; add it",
    ] {
        assert!(text.contains(says), "{text}\ndoes not say: {says}");
    }
}

static MADE: AtomicBool = AtomicBool::new(false);

#[daemon(name = "made", no_handlers)]
struct Made;
impl DaemonBase for Made {}

#[tokio::test(start_paused = true)]
async fn a_host_with_a_fault_starts_nothing() {
    let make = || {
        MADE.store(true, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Made)
    };
    let error = Host::new("t").daemon_with(make).daemon(NeedsPlain).start().await.unwrap_err();
    assert!(matches!(error, StartError::Check(_)));
    assert!(error.to_string().contains("requires `plain`, which is missing here"), "{error}");
    assert!(!MADE.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn an_empty_host_starts_and_stops() {
    let host = Host::new("t").start().await.unwrap();
    assert!(host.shutdown().await.unwrap().is_clean());
}
