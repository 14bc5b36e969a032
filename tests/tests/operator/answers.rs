//! What is asked of one that runs, and what it answers: in JSON for scripts, and never in halves.

use serde_json::{Value, json};
use tests::Source;

use super::{Place, Result, SOON, done, until};

#[test]
fn every_answer_is_json_if_that_is_asked_for() -> Result {
    let place = Place::started()?;
    for (args, is) in [
        (&["status"][..], "object"),
        (&["health"], "object"),
        (&["daemons"], "array"),
        (&["daemons", "clock"], "array"),
        (&["daemon", "restart", "counter"], "object"),
        (&["subscriptions"], "array"),
        (&["schedule"], "array"),
        (&["schedule", "list", "clock"], "array"),
        (&["schedule", "pause", "clock.wind"], "object"),
        (&["schedule", "resume", "clock.wind"], "object"),
        (&["schedule", "run", "clock.wind"], "object"),
        (&["schedule", "period", "clock.wind", "2h"], "object"),
        (&["commands"], "array"),
        (&["journal"], "array"),
        (&["audit"], "object"),
        (&["reload"], "object"),
        (&["log-level"], "object"),
        (&["events", "-n", "1"], "object"),
        (&["wait", "--ready"], "object"),
        (&["call", "clock.double", "21"], "number"),
        (&["stop"], "object"),
    ] {
        let answer = place.json(args)?;
        let found = match answer {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::Number(_) => "number",
            _ => "something else",
        };
        assert_eq!(found, is, "{args:?}: {answer}");
    }
    Ok(())
}

#[test]
fn commands_are_called_with_json_and_answer_it_as_it_is() -> Result {
    let place = Place::started()?;
    assert_eq!(place.run(&["call", "clock.double", "-21"])?.expect(0).out, "-42\n");
    assert_eq!(
        place.control(&["operated", "call", "clock.echo", "{\"a\": [1]}"])?.expect(0).out,
        "{\n  \"a\": [\n    1\n  ]\n}\n"
    );
    let exact = "[18446744073709551615,-9223372036854775808,\"\u{1f980}\"]";
    assert_eq!(place.run(&["call", "clock.echo", exact, "--json"])?.expect(0).out, format!("{exact}\n"));
    assert_eq!(place.run(&["call", "clock.echo"])?.expect(0).out, "", "null is nothing to read");

    let mut piped = place.begin(&["call", "clock.double", "-"])?;
    piped.write(b" 4\n")?;
    piped.close_stdin();
    assert_eq!(done(piped)?.expect(0).out, "8\n");
    let long = place.run(&["call", "clock.long", "9000000", "--json"])?;
    assert_eq!(long.expect(0).out.len(), 9_000_003);
    Ok(())
}

#[test]
fn a_call_that_fails_says_whose_fault_it_is() -> Result {
    let place = Place::started()?;
    for (args, code, why) in [
        (&["call", "clock.double", "9223372036854775807"][..], 1, "operated: too large to double"),
        (&["call", "clock.double", "\"four\""], 1, "the request does not fit the command: invalid type: string"),
        (&["call", "clock.double", "four"], 2, "; write it as in clock.double '{\"id\": 7}', and text as in"),
        (&["call", "clock.double"], 1, "clock.double takes a request, in JSON; write it as in clock.double '"),
        (&["call", "double", "4"], 2, "`double` names no command; write DAEMON.COMMAND"),
        (&["call", "clock.treble", "4"], 1, "daemon `clock` has no command `treble`; it has: double, echo"),
        (&["call", "watch.double", "4"], 1, "no daemon named `watch`; this host has: "),
        (&["call", "clock.stall", "--timeout", "1s"], 4, "`clock.stall` did not answer within 1s"),
        (&["daemons", "watch"], 1, "watch"),
        (&["daemon", "stop", "ipc"], 1, "`ipc` carries the calls of operators"),
        (&["schedule", "pause", "clock.tock"], 1, "tock"),
        (&["schedule", "period", "clock.wind", "soon"], 1, "soon"),
        (&["schedule", "run", "watch.tick"], 1, "no daemon named `watch`"),
        (&["schedule", "pause", "clock"], 2, "`clock` names no interval; write DAEMON.INTERVAL"),
        (&["events", "a::b"], 1, "a::b"),
        (&["commands", "watch"], 1, "there is no daemon and no command `watch`"),
    ] {
        place.run(args)?.expect(code).says(why);
    }
    let error = place.run(&["call", "clock.stall", "--timeout", "300ms", "--json"])?;
    assert_eq!(error.expect(4).out, "");
    let error: Value = serde_json::from_str(&error.err)?;
    assert_eq!(error["error"]["code"], "timed_out");
    Ok(())
}

#[test]
fn daemons_and_intervals_are_steered() -> Result {
    let place = Place::started()?;
    let state = |daemon: &str| -> Result<Value> { Ok(place.json(&["daemons", daemon])?[0]["state"].clone()) };
    place.run(&["daemon", "stop", "clock"])?.expect(0);
    assert_eq!((state("clock")?, state("counter")?), ("stopped".into(), "stopped".into()), "it requires the clock");
    place.run(&["health"])?.expect(1);
    place.run(&["call", "clock.double", "1"])?.expect(1).says("daemon `clock` is stopped");
    assert_eq!(place.run(&["daemon", "start", "counter"])?.expect(0).out, "counter is running\n");
    assert_eq!(state("clock")?, "running");

    let paused = place.json(&["schedule", "pause", "clock.tick"])?;
    assert_eq!((&paused["daemon"], &paused["state"]), (&"clock".into(), &"paused".into()));
    let run = place.json(&["schedule", "run", "clock.wind"])?;
    assert_eq!(run["name"], "wind");
    let wind = || -> Result<Value> { Ok(place.json(&["schedule", "list", "clock"])?[1].clone()) };
    until(|| Ok(wind()?["ticks"] == 1))?;
    let period = place.json(&["schedule", "period", "clock.wind", "1m30s"])?;
    assert_eq!(period["period_ms"], 90_000);
    Ok(())
}

#[test]
fn what_is_shown_is_narrowed_to_what_is_named() -> Result {
    let place = Place::started()?;
    let all = place.json(&["subscriptions"])?;
    assert_eq!((all.as_array().map(Vec::len), &all[0]["daemon"]), (Some(1), &"counter".into()), "{all}");
    assert_eq!(place.json(&["subscriptions", "clock"])?, json!([]));
    let text = place.run(&["subscriptions", "counter"])?;
    assert!(text.expect(0).out.contains("counter.ticked"), "{text:?}");

    let routes = place.run(&["commands", "clock"])?;
    assert!(routes.expect(0).out.contains("clock.double  ") && !routes.out.contains("control."), "{routes:?}");
    let told = place.run(&["commands", "control"])?.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("without either, it runs the checks. control."),
        "the first paragraph, not its first line: {told}"
    );
    let double = place.run(&["commands", "clock.double"])?;
    let head = "clock.double\n  Doubles a number.\n"; // schemas follow where the feature is on
    assert!(double.expect(0).out.starts_with(head) && double.out.matches("clock.").count() == 1, "{double:?}");

    let whole = place.json(&["journal"])?;
    let last = place.json(&["journal", "-n", "2"])?;
    let (whole, last) = (whole.as_array().ok_or("a list")?, last.as_array().ok_or("a list")?);
    assert!(whole.len() > 2 && last == &whole[whole.len() - 2..], "{last:?}");
    let table = place.run(&["journal", "--lines", "1"])?;
    assert_eq!(table.expect(0).out.lines().count(), 2, "a head and a line: {table:?}");

    let one = place.run(&["daemons", "counter"])?;
    assert!(one.expect(0).out.contains("requires  clock") && one.out.contains("counter.ticked"), "{one:?}");
    let interval = place.run(&["schedule", "list", "counter"])?;
    assert_eq!(interval.expect(0).out, "there are no intervals\n");
    Ok(())
}

#[test]
fn events_are_shown_as_they_come_and_end_with_the_host() -> Result {
    let place = Place::started()?;
    let follows = place.begin(&["events", "clock:*"])?;
    let line = follows.wait_for_line(Source::Stdout, SOON, |line| line.contains("clock:ticked"))?;
    assert!(line.contains("Z  clock:ticked  clock  {\"tick\":"), "{line}");
    let few = place.run(&["events", "--count", "2", "--json"])?;
    let ticks: Vec<Value> = few.expect(0).out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let tick = |event: &Value| event["payload"]["tick"].as_u64();
    assert_eq!((ticks.len(), &ticks[0]["topic"]), (2, &json!("clock:ticked")));
    assert_eq!(tick(&ticks[0]).map(|tick| tick + 1), tick(&ticks[1]));
    place.run(&["stop"])?.expect(0);
    done(follows)?.expect(0).says("operated: it has stopped");
    Ok(())
}

#[test]
fn who_reads_no_further_is_left_in_peace() -> Result {
    let place = Place::started()?;
    for command in ["events", "call clock.long 9000000", "commands", "man", "completions bash"] {
        let script = format!("set -o pipefail; {{ {} {command} | head -c 1 >/dev/null; }} 2>&1", super::OPERATED);
        let ended = done(place.program("bash").args(["-c", &script]).start()?)?;
        assert_eq!((ended.expect(0).out.as_str(), ended.err.as_str()), ("", ""), "{command}");
    }
    Ok(())
}

#[test]
fn completions_and_man_pages_know_every_command() -> Result {
    let place = Place::new()?;
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell])?.expect(0).out.clone();
        assert!(script.contains("operated") && script.contains("log-level") && !script.contains("detached"), "{shell}");
    }
    let page = place.control(&["man"])?.expect(0).out.clone();
    assert!(page.starts_with(".ie") && page.contains("daemonctl") && page.contains("subscriptions"), "{page}");
    let page = place.run(&["man", "wait"])?.expect(0).out.clone();
    assert!(page.contains("operated") && page.contains("\\-\\-ready"), "{page}");
    place.run(&["man", "fly"])?.expect(2).says("there is no command `fly`");
    let dir = place.state.path().join("man");
    place.run(&["man", "--dir", dir.to_str().ok_or("no text")?])?.expect(0);
    assert!(dir.join("operated.1").exists() && dir.join("operated-schedule-pause.1").exists());
    Ok(())
}

#[test]
fn the_kind_of_host_is_the_programs_own_argument() -> Result {
    let place = Place::new()?;
    place.run(&["--kind", "lame", "start"])?.expect(0);
    let health = place.json(&["health"])?;
    assert_eq!(health["verdict"], "degraded", "{health}");
    let lame = health["daemons"].as_array().and_then(|all| all.iter().find(|daemon| daemon["name"] == "lame"));
    assert_eq!(lame.map(|lame| &lame["checks"][0]["failure"]), Some(&"it limps".into()));
    place.run(&["--kind", "walks"])?.expect(2);
    assert!(place.run(&["--help"])?.expect(0).out.contains("Exit codes: 0 done"));
    Ok(())
}
