use super::every::{Every, Period};
use super::marker::{self, Marker};
use super::on_error::OnError;
use super::restart::{Ends, Restart};
use super::schedule::{Missed, Overlap};
use super::{command, daemon, event, health, on_event, task, time::Time};
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
    let text = r#"name = "user", requires(a::Data, Pair<A, B>, Cache as "cache-eu"), wants(Metrics,),
        restart(on_failure, backoff = "100ms..30s", limit = "5/1m",),
        start_timeout = "10s", stop_timeout = "1m 30s", optional, no_handlers, crate = ::other,"#;
    let (attr, faults) = read(text, daemon::parse);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(attr.name.unwrap().value(), "user");
    let requires: Vec<_> = attr.requires.iter().map(super::requirement::Requirement::text).collect();
    assert_eq!(requires, ["a::Data", "Pair<A, B>", "Cache as \"cache-eu\""]);
    assert_eq!(attr.wants.len(), 1);
    let Restart { ends, backoff, limit, .. } = attr.restart.unwrap();
    let (backoff, limit) = (backoff.unwrap(), limit.unwrap());
    assert_eq!(
        (ends, backoff.min, backoff.max),
        (Ends::OnFailure, Duration::from_millis(100), Duration::from_secs(30))
    );
    assert_eq!((limit.count, limit.per), (5, Duration::from_secs(60)));
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
    let (attr, faults) =
        read(r#""a:*", startup = 9, overflow = drop_newest, capacity = 64, on_error = restart"#, on_event::parse);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(attr.topic.unwrap().value(), "a:*");
    let options = attr.options;
    assert_eq!(options.overflow.unwrap().0.word(), "drop_newest");
    assert_eq!(options.on_error, Some(OnError::Restart));
    assert_eq!(options.capacity.unwrap().base10_parse::<usize>().unwrap(), 64);
    assert_eq!(options.startup.unwrap().base10_parse::<usize>().unwrap(), 9);
    let (attr, faults) = read(r#"queue = "users", concurrency = 1, isolated, overflow = latest"#, on_event::parse);
    assert!(faults.is_empty(), "{faults:?}");
    let options = attr.options;
    assert_eq!((options.queue.unwrap().value().as_str(), options.isolated), ("users", true));
    assert_eq!(options.concurrency.unwrap().base10_parse::<usize>().unwrap(), 1);
    assert!(matches!(options.overflow, Some((on_event::Overflow::Latest(None), _))));
}

#[test]
fn a_key_is_a_field_or_a_field_of_one() {
    for (text, field) in
        [("key = id", "id"), ("key = user.id,", "user . id"), ("key = 0", "0"), ("key = r#type", "r#type")]
    {
        let (attr, faults) = read(&format!("overflow = latest({text})"), on_event::parse);
        assert!(faults.is_empty(), "{faults:?}");
        let Some((on_event::Overflow::Latest(Some(key)), _)) = attr.options.overflow else { panic!("{text}") };
        assert_eq!(quote::quote!(#key).to_string(), field);
    }
    for (text, fault) in [
        ("", "`latest(..)` names no key; write `latest(key = id)`, or `latest` alone"),
        ("key", "`key` takes a field of the event; write `key = id`"),
        ("key = \"id\"", "`key` takes a field of the event; write `key = id`"),
        ("key = id()", "`key` takes a field of the event; write `key = id`"),
        ("ke = id", "unknown option `ke`; did you mean `key`?"),
    ] {
        let (attr, faults) = read(&format!("overflow = latest({text})"), on_event::parse);
        assert_eq!(faults, [fault], "{text}");
        assert!(attr.options.overflow.is_none());
    }
}

fn every(text: &str) -> Every {
    match marked(text) {
        (Some(Marker::Every(every)), faults) if faults.is_empty() => every,
        (_, faults) => panic!("{faults:?}"),
    }
}

#[test]
fn a_period_is_a_text_or_a_path_or_asked_for() {
    let written = every("every(\"5s\")").period;
    assert!(matches!(written, Some(Period::Time(Time::Written(time, _))) if time == Duration::from_secs(5)));
    for path in ["PERIOD", "Self::PERIOD", "crate::time::PERIOD", "S::SWEEP", "<S as Store>::SWEEP"] {
        let constant = every(&format!("every({path}, immediately)")).period;
        assert!(matches!(constant, Some(Period::Time(Time::Constant(_)))), "{path}");
    }
    assert!(matches!(every("every(\"off\")").period, Some(Period::Off)));
    assert!(matches!(every("every(from = Self::period, immediately)").period, Some(Period::From(_))));
}

#[test]
fn an_interval_reads_every_option() {
    let Every { options, .. } = every(
        "daemon_core::every(\"1h\", name = \"a.b\", jitter = \"12.5%\", timeout = \"59m\", overlap = queue(3), missed = \
         catch_up_once, skip_if = Self::is_busy, on_error = fail)",
    );
    assert_eq!(options.name.unwrap().value(), "a.b");
    assert_eq!(options.jitter.unwrap().hundredths(), 1_250);
    assert_eq!(options.timeout.unwrap().0, Duration::from_secs(59 * 60));
    assert!(matches!(options.overlap, Some(Overlap::Queue(Some(bound))) if bound.base10_digits() == "3"));
    assert_eq!(options.missed, Some(Missed::CatchUpOnce));
    assert!(options.skip_if.is_some() && !options.immediately);
    assert_eq!(options.on_error, Some(OnError::Fail));
    let overlap = |text: &str| every(&format!("every(\"1s\", timeout = \"1h\", overlap = {text})")).options.overlap;
    assert!(matches!(overlap("concurrent"), Some(Overlap::Concurrent(None))));
    assert!(matches!(overlap("concurrent(65_535)"), Some(Overlap::Concurrent(Some(_)))));
}

#[test]
fn a_period_is_nothing_else() {
    assert_eq!(marked("every(5)").1, ["a period needs its unit; write \"5s\""]);
    let known = "`#[every]` knows `from`, `name`, `overlap`, `missed`, `jitter`, `timeout`, `immediately`, `skip_if` or `on_error`";
    assert_eq!(
        marked("every(secs(5))").1,
        [
            "no period; write one first, such as `#[every(\"5s\")]`".to_owned(),
            format!("unknown option `secs`; {known}"),
        ]
    );
    assert_eq!(
        marked("every(immediatly)").1,
        [
            "no period; write one first, such as `#[every(\"5s\")]`",
            "unknown option `immediatly`; did you mean `immediately`?"
        ]
    );
    assert_eq!(marked("every(\"5s\", \"6s\")").1, [format!("`\"6s\"` is not an option; {known}")]);
    assert_eq!(
        marked("every(\"5s\", from = f)").1,
        ["`from` says the period, and so does what stands first; keep one"]
    );
    assert_eq!(marked("every(from = \"5s\")").1, ["`from` takes the path of a function; write `from = Self::period`"]);
    assert_eq!(
        marked("every(cron = \"* * * * *\")").1,
        ["`cron` is a marker of its own; write `#[cron(\"0 3 * * *\")]`"]
    );
}

#[test]
fn a_bound_is_a_number_that_makes_sense() {
    let fault = |text: &str| marked(&format!("every(\"5s\", overlap = {text})")).1;
    assert_eq!(fault("skip(3)"), ["`skip` takes no number; write `overlap = skip`"]);
    assert_eq!(fault("queue(0)"), ["`queue` takes a number from 1 to 65535; write `overlap = queue(16)`"]);
    let concurrent = ["`concurrent` takes a number from 2 to 65535; write `overlap = concurrent(16)`"];
    for bound in ["1", "65536", "\"3\"", "", "3, 4"] {
        assert_eq!(fault(&format!("concurrent({bound})")), concurrent, "{bound}");
    }
    assert_eq!(fault("quue(3)"), ["`quue` is no value of `overlap`; did you mean `queue`?"]);
    assert_eq!(fault("\"queue\""), ["`overlap` takes a bare word; write `overlap = queue`"]);
}

#[test]
fn a_check_speaks_of_readiness_unless_it_says_otherwise() {
    assert_eq!(read("", health::parse).0.options.kind, health::Kind::Readiness);
    assert_eq!(read("timeout = \"1s\", startup", health::parse).0.options.kind, health::Kind::Startup);
    assert_eq!(read("liveness", health::parse).0.options.kind, health::Kind::Liveness);
}

#[test]
fn a_check_reads_when_it_is_asked_and_what_follows() {
    let text =
        "liveness, every = \"30s\", cache = \"0s\", fails = 5, passes = 2, group = \"stores\", on_error = restart";
    let (check, faults) = read(text, health::parse);
    assert!(faults.is_empty(), "{faults:?}");
    let options = check.options;
    assert_eq!(options.every, Some(Some(Duration::from_secs(30))));
    assert_eq!(options.cache, Some(Duration::ZERO));
    assert!(options.fails.is_some() && options.passes.is_some() && options.group.is_some() && !options.soft);
    assert_eq!(read("every = \"off\", soft", health::parse).0.options.every, Some(None));
}

#[test]
fn a_policy_says_when_and_leaves_the_rest_to_the_defaults() {
    let ends = |text| {
        let (task, faults) = read(text, task::parse);
        assert!(faults.is_empty(), "{faults:?}");
        task.restart.map(|Restart { ends, backoff, limit, .. }| (ends, backoff.is_some(), limit.is_some()))
    };
    assert_eq!(ends("finite"), None);
    assert_eq!(ends("restart(never), finite"), Some((Ends::Never, false, false)));
    assert_eq!(ends("finite, restart(on_failure)"), Some((Ends::OnFailure, false, false)));
    assert_eq!(ends("restart(limit = \"1/1s\", always)"), Some((Ends::Always, false, true)));
    // Both ends belong to the range, so this is a steady delay.
    assert_eq!(ends("restart(on_failure, backoff = \"5s..5s\")"), Some((Ends::OnFailure, true, false)));
}

#[test]
fn every_fault_of_a_policy_is_told_once() {
    let fault = |text| {
        let (task, mut faults) = read(text, task::parse);
        let policy = task.restart.filter(|_| !task.finite);
        assert_eq!((policy.is_none(), faults.len()), (true, 1), "{text}: {faults:?}");
        faults.remove(0)
    };
    assert_eq!(fault("restart = always"), "`restart` takes a list; write `restart(always)`");
    assert_eq!(fault("restart = \"always\""), "`restart` takes a list; write `restart(on_failure)`");
    assert_eq!(fault("restart"), "`restart` takes a list; write `restart(on_failure)`");
    let when = "`restart` does not say when; begin with `never`, `on_failure` or `always`";
    assert_eq!(fault("restart()"), when);
    assert_eq!(fault("restart(limit = \"5/1m\")"), when);
    assert_eq!(fault("restart(always, never)"), "`restart` names both `always` and `never`; keep one");
    assert_eq!(fault("restart(never, never)"), "`never` is given twice; keep one");
    assert_eq!(fault("restart(on_failur)"), "unknown option `on_failur`; did you mean `on_failure`?");
    let of_no_use = "`backoff` is of no use with `never`; remove it, or write `on_failure`";
    assert_eq!(fault("restart(backoff = \"nonsense\", never)"), of_no_use);
    assert_eq!(
        fault("restart(always, backoff = \"0s..30s\")"),
        "the first delay is zero, and doubling it changes nothing; write a longer one"
    );
    assert!(fault("restart(always, backoff = \"\")").starts_with("no \"..\" in range"));
    assert!(fault("restart(always, backoff = \"..\")").starts_with("a side is missing"));
    assert!(fault("restart(always, backoff = \"30s..1s\")").ends_with("runs backwards; write \"1s..30s\""));
    assert!(fault("restart(always, limit = \"0/1m\")").starts_with("the count is zero"));
    assert!(fault("restart(always, limit = \"5/0s\")").starts_with("the time is zero"));
    assert_eq!(fault("restart(always), finite"), "with `always` a `finite` task would never end; remove one of them");
    assert_eq!(
        fault("on_error = restart"),
        "`on_error` is for events and ticks; a task has a policy, such as `restart(never)`"
    );
}

#[test]
fn what_an_error_leads_to_is_one_of_three_words() {
    let fault = |text| read(text, on_event::parse).1;
    assert_eq!(fault("on_error = log"), [""; 0]);
    assert_eq!(fault("on_error = stop"), ["`stop` is no value of `on_error`; expected `log`, `restart` or `fail`"]);
    assert_eq!(fault("on_error = \"fail\""), ["`on_error` takes a bare word; write `on_error = fail`"]);
    assert_eq!(fault("restart(always)"), ["`restart` is for daemons and tasks; write `on_error = restart`"]);
}

#[test]
fn other_markers_read_their_options() {
    assert!(
        matches!(marked("task(finite, name = \"x\")").0, Some(Marker::Task(task)) if task.finite && task.name.is_some())
    );
    assert!(matches!(marked("command").0, Some(Marker::Command(command::Command { name: None, timeout: None }))));
    let Some(Marker::Command(bounded)) = marked("command(timeout = \"5s\")").0 else { panic!("it is a command") };
    assert_eq!(bounded.timeout, Some(Duration::from_secs(5)));
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

#[test]
fn every_option_is_told_of_in_its_page() {
    for (known, pages) in [
        (&super::daemon::KNOWN, &["daemon"][..]),
        (&super::event::KNOWN, &["event"]),
        (&super::on_event::KNOWN, &["on_event"]),
        (&super::every::KNOWN, &["every"]),
        (&super::cron::KNOWN, &["cron", "every"]),
        (&super::task::KNOWN, &["task"]),
        (&super::health::KNOWN, &["health"]),
        (&super::command::KNOWN, &["command"]),
        (&super::restart::KNOWN, &["daemon", "supervision"]),
    ] {
        let read = |page| format!("{}/../docs/guide/{page}.md", env!("CARGO_MANIFEST_DIR"));
        let text: String = pages.iter().map(|page| std::fs::read_to_string(read(page)).unwrap()).collect();
        let code = text.lines().filter(|line| line.starts_with('|')).flat_map(|row| row.split('`').skip(1).step_by(2));
        let words: Vec<_> = code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
        for option in known.options {
            assert!(words.contains(option), "the table of {pages:?} lacks `{option}` of {}", known.attribute);
        }
    }
}
