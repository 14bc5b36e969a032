#!/usr/bin/env python3
"""Measures what `#[daemon]` on a daemon of ten handlers costs to compile against the same written by hand.

Generates a small workspace beside this one, checks its crates in turn, each time after touching only the crate that is
measured, and writes the medians to docs/compile-time.md.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "compile-time.md"

COMMON = """
    #[derive(Event, serde::Serialize)]
    #[event("users:created")]
    pub struct Created { pub id: u64 }
    #[derive(Event, serde::Serialize)]
    #[event("users:deleted")]
    pub struct Deleted { pub id: u64 }

    pub struct Store;
    impl Declared for Store { const DECLARATION: Declaration = Declaration::new("store"); }
    impl Wired for Store { fn wire(_: &mut Definition<Self>) {} }
    impl DaemonBase for Store {}
"""

# (marker, signature, body): the ten handlers, the same in both.
METHODS = [
    ("#[on_event]", "async fn created(&self, event: &Created) -> Result<()>", "self.seen(event.id)"),
    ("#[on_event(capacity = 64, overflow = drop_oldest)]", "async fn gone(&self, event: &Deleted)", "let _ = self.seen(event.id);"),
    ('#[on_event("users:*")]', "async fn any(&self, event: &Envelope, cx: &Context)", "let _ = (event.topic(), cx.name());"),
    ("#[on_event]", "async fn again(&self, event: &Created, cx: &Context) -> Result<()>", "cx.cancelled().await; self.seen(event.id)"),
    ('#[every("5s")]', "async fn monitor(&self) -> Result<()>", "self.seen(1)"),
    ('#[every("30s", immediately, jitter = "10%", timeout = "20s")]', "async fn reconcile(&self, cx: &Context) -> Result<()>", "cx.cancelled().await; Ok(())"),
    ("#[on_ready(Store)]", "async fn ensure(&self) -> Result<()>", "self.seen(2)"),
    ('#[deferred("2s")]', "async fn catch_up(&self) -> Result<()>", "self.seen(3)"),
    ("#[task]", "async fn pump(&self, cx: &Context) -> Result<()>", "cx.cancelled().await; Ok(())"),
    ('#[health(readiness, timeout = "1s")]', "async fn reachable(&self) -> Result<()>", "self.seen(4)"),
]

WIRE = """
    impl Declared for User {
        const DECLARATION: Declaration =
            Declaration::new("user").requires(&[Dependency::on::<Store>()]).stop_timeout(Duration::from_secs(5));
    }

    impl Wired for User {
        fn wire(definition: &mut Definition<Self>) {
            definition.on_event(EventHandler::typed::<Created>("created", |daemon: &User, _| {
                place(move |event: Arc<Created>| async move {
                    let done = daemon.created(&event).await;
                    (event, done)
                })
            }));
            let gone = EventHandler::typed::<Deleted>("gone", |daemon: &User, _| {
                place(move |event: Arc<Deleted>| async move {
                    daemon.gone(&event).await;
                    (event, Ok(()))
                })
            });
            definition.on_event(gone.capacity(64).overflow(Overflow::DropOldest));
            definition.on_event(EventHandler::envelope("any", "users:*", |daemon: &User, cx| {
                place(move |event: Arc<Envelope>| async move {
                    daemon.any(&event, cx).await;
                    (event, Ok(()))
                })
            }));
            definition.on_event(EventHandler::typed::<Created>("again", |daemon: &User, cx| {
                place(move |event: Arc<Created>| async move {
                    let done = daemon.again(&event, cx).await;
                    (event, done)
                })
            }));
            definition.every(Interval::new("monitor", Duration::from_secs(5), |daemon: &User, _| {
                Box::pin(daemon.monitor())
            }));
            let reconcile = Interval::new("reconcile", Duration::from_secs(30), |daemon: &User, cx| {
                Box::pin(daemon.reconcile(cx))
            });
            let tenth = daemon_core::time::Percent::from_hundredths(1_000);
            definition.every(reconcile.immediately().jitter(tenth).timeout(Duration::from_secs(20)));
            definition.on_ready(OnReady::new("ensure", Dependency::on::<Store>(), |daemon: &User, _| {
                Box::pin(daemon.ensure())
            }));
            definition.deferred(Deferred::new("catch_up", Duration::from_secs(2), |daemon: &User, _| {
                Box::pin(daemon.catch_up())
            }));
            definition.task(Task::new("pump", |daemon: &User, cx| Box::pin(daemon.pump(cx))));
            let reachable = Check::new("reachable", CheckKind::Readiness, |daemon: &User, _| Box::pin(daemon.reachable()));
            definition.check(reachable.timeout(Duration::from_secs(1)));
        }
    }
"""


def module(number, annotated):
    mark = '#[daemon(name = "user", requires(Store), stop_timeout = "5s")]\n    ' if annotated else ""
    methods = "".join(
        f"        {(marker + chr(10) + '        ') if annotated else ''}{signature} {{ {body} }}\n" for marker, signature, body in METHODS
    )
    block = ("#[daemon]\n    " if annotated else "") + "impl User {\n" + methods + "    }\n"
    return f"""pub mod user_{number} {{
    use daemon_core::*;
    use std::{{sync::Arc, sync::atomic::{{AtomicU64, Ordering}}, time::Duration}};
{COMMON}
    impl User {{
        fn seen(&self, id: u64) -> Result<()> {{ self.last.store(id, Ordering::Relaxed); Ok(()) }}
    }}

    {mark}pub struct User {{ last: AtomicU64 }}

    {block}{"" if annotated else WIRE}
    impl DaemonBase for User {{}}
    pub fn shared() -> (Arc<()>, Duration) {{ (Arc::new(()), Duration::ZERO) }}
}}
"""


def source(daemons, annotated):
    return "#![allow(unused_imports, missing_docs)]\n" + "".join(module(number, annotated) for number in range(daemons))


def generate(place, crates):
    members = ", ".join(f'"{name}"' for name in crates)
    (place / "Cargo.toml").write_text(f'[workspace]\nresolver = "3"\nmembers = [{members}]\n')
    shutil.copy(ROOT / "Cargo.lock", place / "Cargo.lock")
    for name, text in crates.items():
        (place / name / "src").mkdir(parents=True)
        (place / name / "src" / "lib.rs").write_text(text)
        (place / name / "Cargo.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
            f'daemon-core = {{ path = "{ROOT / "daemon-core"}" }}\nserde = {{ version = "1", features = ["derive"] }}\n'
        )


def check(cargo, place, target, crate):
    """Checks one crate; the seconds it took."""
    os.utime(place / crate / "src" / "lib.rs")
    begun = time.perf_counter()
    done = subprocess.run(
        [cargo, "check", "--quiet", "--package", crate, "--target-dir", str(target)], cwd=place, capture_output=True, text=True
    )
    took = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit(f"{crate} does not compile:\n{done.stderr}")
    return took


def measure(cargo, rounds, target):
    crates = {"nothing": "pub use daemon_core::Host;\n"}
    for daemons in (1, 20):
        crates[f"by-hand-{daemons}"] = source(daemons, annotated=False)
        crates[f"annotated-{daemons}"] = source(daemons, annotated=True)
    with tempfile.TemporaryDirectory(prefix="compile-time-") as folder:
        place = Path(folder)
        generate(place, crates)
        for crate in crates:
            check(cargo, place, target, crate)
        times = {crate: [] for crate in crates}
        for _ in range(rounds):
            for crate in crates:
                times[crate].append(check(cargo, place, target, crate))
    lines = {crate: len([line for line in text.splitlines() if line.strip()]) for crate, text in crates.items()}
    return {crate: statistics.median(times[crate]) for crate in crates}, lines


def report(medians, lines, rounds, cargo):
    version = subprocess.run([cargo.replace("cargo", "rustc"), "--version"], capture_output=True, text=True, check=True)
    nothing = medians["nothing"]

    def row(text, daemons):
        hand, annotated = medians[f"by-hand-{daemons}"], medians[f"annotated-{daemons}"]
        each = (annotated - hand) / daemons * 1000
        return (
            f"| {text} | {hand:.2f} s | {annotated:.2f} s | {annotated / hand:.2f} | {each:+.0f} ms "
            f"| {lines[f'by-hand-{daemons}']} / {lines[f'annotated-{daemons}']} |"
        )

    return f"""# Compile time

What `#[daemon]` on a daemon of ten handlers (four events, two intervals, `on_ready`, `deferred`, a task and a health check) costs to
compile, against the same daemon written by hand with the same public types.

| crate | by hand | annotated | ratio | difference for each daemon | lines by hand / annotated |
|---|---|---|---|---|---|
{row("one daemon", 1)}
{row("twenty daemons", 20)}

A crate that only names `daemon-core` takes {nothing:.2f} s: cargo itself, and loading the dependencies.

Wall time of `cargo check` after touching only that crate, everything it depends on already compiled; the crates take turns, and
each figure is the median of {rounds} rounds, with {version.stdout.strip().split(" (")[0]}. Absolute figures depend on the machine;
on a busy one the ratios move by a tenth from run to run.
Measured by:

```sh
make compile-time
```
"""


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="how often each crate is checked [5]")
    rounds = options.parse_args().rounds
    cargo = os.environ.get("CARGO", "cargo")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "compile-time"
    medians, lines = measure(cargo, rounds, target)
    text = report(medians, lines, rounds, cargo)
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
