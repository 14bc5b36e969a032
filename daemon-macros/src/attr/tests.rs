use super::marker::{self, Marker};
use super::{daemon, event, health, on_event, time::Time};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::Meta;

/// What a grammar makes of a text, and what it complains about.
fn read<T>(text: &str, grammar: impl FnOnce(TokenStream, &mut Faults) -> T) -> (T, Vec<String>) {
    let mut faults = Faults::default();
    let value = grammar(text.parse().unwrap(), &mut faults);
    (value, faults.texts())
}

fn marked(text: &str) -> (Option<Marker>, Vec<String>) {
    let meta: Meta = syn::parse_str(text).unwrap();
    let mut faults = Faults::default();
    (marker::parse(&meta, &mut faults), faults.texts())
}

#[test]
fn a_declaration_reads_every_option() {
    let text = r#"name = "user", requires(a::Data, Pair<A, B>, Cache as "cache-eu"), wants(Metrics,), restart(never),
        start_timeout = "10s", stop_timeout = "1m 30s", optional, no_handlers, crate = ::other,"#;
    let (attr, faults) = read(text, daemon::parse);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(attr.name.unwrap().value(), "user");
    let requires: Vec<_> = attr.requires.iter().map(super::requirement::Requirement::text).collect();
    assert_eq!(requires, ["a::Data", "Pair<A, B>", "Cache as \"cache-eu\""]);
    assert_eq!(attr.wants.len(), 1);
    assert_eq!((attr.start_timeout, attr.stop_timeout), (Some(Duration::from_secs(10)), Some(Duration::from_secs(90))));
    assert!(attr.optional && attr.no_handlers && attr.krate.is_some());
}

#[test]
fn a_declaration_reports_every_fault() {
    let (_, faults) = read("nam = \"x\",, optional, optional, wants(), no_handlers(x)", daemon::parse);
    assert_eq!(
        faults,
        [
            "an option is missing before this comma; remove the comma",
            "`wants` names no daemon; name one, or remove it",
            "`optional` is given twice; keep one",
            "`no_handlers` takes no value; write `no_handlers` alone",
            "unknown option `nam`; did you mean `name`?",
        ]
    );
}

#[test]
fn an_event_handler_reads_every_option() {
    let (attr, faults) = read(r#""a:*", startup = 9, overflow = drop_newest, capacity = 64"#, on_event::parse);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(attr.topic.unwrap().value(), "a:*");
    assert_eq!(attr.overflow, Some(on_event::Overflow::DropNewest));
    assert_eq!(attr.capacity.unwrap().base10_parse::<usize>().unwrap(), 64);
    assert_eq!(attr.startup.unwrap().base10_parse::<usize>().unwrap(), 9);
}

#[test]
fn a_period_is_a_text_or_a_path() {
    let every = |text: &str| match marked(text) {
        (Some(Marker::Every(every)), faults) if faults.is_empty() => every,
        (_, faults) => panic!("{faults:?}"),
    };
    assert!(matches!(every("every(\"5s\")").period, Some(Time::Written(time, _)) if time == Duration::from_secs(5)));
    for path in ["PERIOD", "Self::PERIOD", "crate::time::PERIOD", "S::SWEEP", "<S as Store>::SWEEP"] {
        assert!(matches!(every(&format!("every({path}, immediately)")).period, Some(Time::Constant(_))), "{path}");
    }
    let every = every(
        "daemon_core::every(\"1h\", name = \"a.b\", jitter = \"12.5%\", timeout = \"59m\", overlap = skip, missed = skip)",
    );
    assert_eq!(every.name.unwrap().value(), "a.b");
    assert_eq!(every.jitter.unwrap().hundredths(), 1_250);
    assert_eq!(every.timeout.unwrap().0, Duration::from_secs(59 * 60));
}

#[test]
fn a_period_is_nothing_else() {
    assert_eq!(marked("every(5)").1, ["a period needs its unit; write \"5s\""]);
    assert_eq!(
        marked("every(secs(5))").1,
        [
            "no period; write one first, such as `#[every(\"5s\")]`",
            "unknown option `secs`; `#[every]` knows `name`, `overlap`, `missed`, `jitter`, `timeout` or `immediately`"
        ]
    );
    assert_eq!(
        marked("every(immediatly)").1,
        [
            "no period; write one first, such as `#[every(\"5s\")]`",
            "unknown option `immediatly`; did you mean `immediately`?"
        ]
    );
    assert_eq!(
        marked("every(\"5s\", \"6s\")").1,
        [
            "`\"6s\"` is not an option; `#[every]` knows `name`, `overlap`, `missed`, `jitter`, `timeout` or `immediately`"
        ]
    );
}

#[test]
fn a_check_speaks_of_readiness_unless_it_says_otherwise() {
    assert_eq!(read("", health::parse).0.kind, health::Kind::Readiness);
    assert_eq!(read("timeout = \"1s\", startup", health::parse).0.kind, health::Kind::Startup);
    assert_eq!(read("liveness", health::parse).0.kind, health::Kind::Liveness);
}

#[test]
fn other_markers_read_their_options() {
    assert!(
        matches!(marked("task(finite, name = \"x\")").0, Some(Marker::Task(task)) if task.finite && task.name.is_some())
    );
    assert!(matches!(marked("command").0, Some(Marker::Command(None))));
    assert!(matches!(marked("deferred(\"2s\")").0, Some(Marker::Deferred(Some(_)))));
    assert!(
        matches!(marked("on_ready(Pair<A, B> as \"x\",)").0, Some(Marker::OnReady(Some(of))) if of.instance.is_some())
    );
    assert!(marked("derive(Debug)").0.is_none());
}

#[test]
fn an_event_reads_its_topic() {
    let (attr, faults) =
        read("\"a:b\", local, crate = crate::core", |tokens, faults| event::parse(&tokens.clone(), tokens, faults));
    assert!(faults.is_empty() && attr.local && attr.krate.is_some());
    let (attr, faults) = read("local", |tokens, faults| event::parse(&tokens.clone(), tokens, faults));
    assert!(attr.topic.is_none() && faults.len() == 1);
}

#[test]
fn tokens_are_shown_as_written() {
    for text in ["a::B<C, D>", "&mut T", "self: Arc<Self>", "Box<dyn A + B>", "[u8; 4]", "<S as Store>::X", "&'a str"] {
        let tokens: TokenStream = text.parse().unwrap();
        assert_eq!(crate::errors::compact(&tokens), text);
    }
}
