#![no_main]

#[path = "../../daemon-ipc/tests/ipc/fuzzed/harness.rs"]
#[allow(dead_code)] // each target calls one of its functions
mod harness;

/// What the harness's own handler panics with, on purpose. The server answers for it, and the fuzzer is not to end.
const ON_PURPOSE: [&str; 2] = ["at once", "later"];

fn let_handlers_panic() {
    let end = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload().downcast_ref::<&str>().is_some_and(|text| ON_PURPOSE.contains(text)) {
            end(panic);
        }
    }));
}

libfuzzer_sys::fuzz_target!(init: let_handlers_panic(), |data: &[u8]| harness::server(data));
