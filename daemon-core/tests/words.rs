//! The same mistake is told in the same words by the compiler and by `Host::check`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use daemon_core::__private::{Trail, assembled};
use daemon_core::{DaemonBase, Declaration, Declared, Definition, Dependency, Host, Wired};

macro_rules! daemons {
    ($($ty:ident $name:literal $(.$edge:ident($on:ident))?;)+) => {$(
        struct $ty;
        impl Declared for $ty {
            const DECLARATION: Declaration = Declaration::new($name)$(.$edge(&[Dependency::on::<$on>()]))?;
            const NAME: &'static str = $name;
        }
        impl Wired for $ty {
            fn wire(_: &mut Definition<Self>) {}
        }
        impl DaemonBase for $ty {}
    )+};
}
daemons! {
    Data "data" .requires(Metrics);
    Metrics "metrics" .wants(User);
    User "user" .requires(Data);
    Selfish "selfish" .wants(Selfish);
    Other "user";
}

fn faults(host: Host) -> Vec<String> {
    host.check().unwrap_err().faults
}

/// What a check made while compiling says.
fn told(text: Option<impl std::fmt::Debug>) -> String {
    format!("{:?}", text.unwrap()).trim_matches('"').replace("\\\"", "\"")
}

#[test]
fn a_missing_daemon() {
    let words = "`user` requires `data`, which is missing here; add it";
    assert_eq!(told(assembled(&[("user", User::DECLARATION)])), words);
    assert_eq!(faults(Host::new("test").daemon(User)), [words]);
}

#[test]
fn two_daemons_of_one_name() {
    let words = "two daemons are named `user`; remove one, or give it a name of its own: ";
    let list = [("user", Other::DECLARATION), ("user", Other::DECLARATION)];
    assert_eq!(told(assembled(&list)), format!("{words}`Type as \"name\"`"));
    let host = Host::new("test").daemon(Other).daemon(Selfish).daemon_as("selfish", Other);
    assert!(faults(host)[0].starts_with(&words.replace("user", "selfish")));
}

#[test]
fn a_cycle() {
    let words = "dependency cycle: `data` requires `metrics`, which wants `user`, which requires `data`; \
                 remove one, or use `#[on_ready(..)]` for it";
    let mut trail = Trail::start();
    assert!(trail.enter("data", true));
    trail.requires();
    assert!(trail.enter("metrics", true));
    trail.wants();
    assert!(trail.enter("user", true));
    trail.requires();
    assert!(!trail.enter("data", true));
    assert_eq!(told(trail.cycle()), words);
    assert_eq!(faults(Host::new("test").daemon(Data).daemon(Metrics).daemon(User)), [words]);
}

#[test]
fn a_daemon_that_depends_on_itself() {
    let words = "dependency cycle: `selfish` wants itself; remove it";
    let mut trail = Trail::start();
    assert!(trail.enter("selfish", true));
    trail.wants();
    assert!(!trail.enter("selfish", true));
    assert_eq!(told(trail.cycle()), words);
    assert_eq!(faults(Host::new("test").daemon(Selfish)), [words]);
}
