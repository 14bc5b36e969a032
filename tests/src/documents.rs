//! The examples of the documents, as documentation tests of this crate: what a reader sees compiles, and runs where that makes sense.

macro_rules! documents {
    ($($name:ident $path:literal)+) => {$(
        #[doc = include_str!(concat!("../../", $path))]
        mod $name {}
    )+};
}

documents! {
    readme "README.md"
    cli "docs/guide/cli.md"
    command "docs/guide/command.md"
    cron "docs/guide/cron.md"
    daemon "docs/guide/daemon.md"
    deferred "docs/guide/deferred.md"
    event "docs/guide/event.md"
    every "docs/guide/every.md"
    health "docs/guide/health.md"
    http "docs/guide/http.md"
    metrics "docs/guide/metrics.md"
    hooks "docs/guide/hooks.md"
    host "docs/guide/host.md"
    instance "docs/guide/instance.md"
    ipc "docs/guide/ipc.md"
    on_event "docs/guide/on_event.md"
    on_ready "docs/guide/on_ready.md"
    reload "docs/guide/reload.md"
    run_time "docs/guide/run_time.md"
    stopping "docs/guide/stopping.md"
    supervision "docs/guide/supervision.md"
    task "docs/guide/task.md"
    testing "docs/guide/testing.md"
    from_outfitter "docs/reference/from-outfitter.md"
}

/// A page that is not listed above would not be tested.
#[test]
fn every_page_is_listed() {
    let listed = include_str!("documents.rs");
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide");
    for page in std::fs::read_dir(guide).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || listed.contains(&format!("\"docs/guide/{name}\"")), "{name} is not listed");
    }
}
