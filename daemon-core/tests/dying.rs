//! Lives whose own task dies, since the tracing subscriber panics. Apart from other tests: a thread without a subscriber can turn off what one
//! of another thread is to see.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{DaemonBase, Host, State, daemon};
use probe::S;

#[daemon(name = "made", no_handlers)]
struct Made;
impl DaemonBase for Made {}

/// Takes lines, and panics at one of them.
struct Angry(&'static str);

impl tracing::Subscriber for Angry {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Is(&'static str);
        impl tracing::field::Visit for Is {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                assert!(field.name() != "message" || format!("{value:?}") != self.0, "a subscriber");
            }
        }
        event.record(&mut Is(self.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_fails_a_daemon_and_holds_nobody_up() {
    let _angry = tracing::subscriber::set_default(Angry("running"));
    let host = Host::new("t").daemon(Made).start().await.unwrap();
    let report = tokio::time::timeout(S(60), host.wait()).await.expect("it ends").unwrap();
    let made = report.daemon("made").unwrap();
    assert_eq!((made.state, made.reason.as_deref()), (State::Failed, Some("its lifecycle task died")), "{report}");
    assert!(made.problems.is_empty(), "it failed, and that is told once: {report}");
    assert_ne!(report.exit_code, 0, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_life_that_dies_in_its_stop_has_ended_whatever_it_stops_for() {
    for last_words in ["stopping", "stopped"] {
        let _angry = tracing::subscriber::set_default(Angry(last_words));
        let host = Host::new("t").daemon(Made).start().await.unwrap();
        let restart = async { host.handle().restart_daemon("made").await };
        tokio::time::timeout(S(60), restart).await.expect("it ends").unwrap();
        let report = tokio::time::timeout(S(60), host.shutdown()).await.expect("it ends").unwrap();
        let made = report.daemon("made").unwrap();
        let told = (made.state, made.reason.as_deref(), made.restarts, report.exit_code);
        assert_eq!(told, (State::Failed, Some("its lifecycle task died"), 1, 1), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_that_dies_where_its_daemon_is_to_rest_has_ended_badly() {
    let _angry = tracing::subscriber::set_default(Angry("stopping"));
    let host = Host::new("t").daemon(Made).start().await.unwrap();
    host.handle().stop_daemon("made").await.unwrap();
    let report = tokio::time::timeout(S(60), host.shutdown()).await.expect("it ends").unwrap();
    let made = report.daemon("made").unwrap();
    assert_eq!(
        (made.state, &*made.problems),
        (State::Stopped, &["its lifecycle task died".to_owned()][..]),
        "{report}"
    );
    assert_eq!(report.exit_code, 1, "{report}");
}
