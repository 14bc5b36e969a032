#![no_main]

#[path = "../../daemon-ipc/tests/ipc/fuzzed/harness.rs"]
#[allow(dead_code)] // each target calls one of its functions
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::decode(data));
