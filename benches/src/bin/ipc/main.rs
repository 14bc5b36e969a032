//! Requests and answers between two processes: `ipc serve CONTENDER WORKERS PLACE` and `ipc call CONTENDER WORKERS PLACE SERVER SECONDS
//! LOAD...`, of the same contender. No workers is one thread for all. A server says that it is ready, and ends with its standard input.
//!
//! What is asked is always the same: an object with a string, which comes back; both ends make values of it that they own.

mod by_hand;
mod contender;
mod load;
mod ours;
mod peers;
mod raw;

use std::io::Read;
use std::path::PathBuf;

use benches::{argument, runtime};
use contender::Contender;

fn main() {
    let contender: String = argument(2).unwrap_or_default();
    match &*contender {
        "raw, std" => act::<raw::Std>(&contender),
        "raw, tokio" => act::<raw::Tokio>(&contender),
        "JSON by hand" => act::<by_hand::Json>(&contender),
        "tarpc, bincode" => act::<peers::tarpc::Bincode>(&contender),
        "tarpc, JSON" => act::<peers::tarpc::Json>(&contender),
        "zlink" => act::<peers::zlink::Varlink>(&contender),
        "zbus" => act::<peers::zbus::Bus>(&contender),
        "tonic" => act::<peers::tonic::Grpc>(&contender),
        "jsonrpsee" => act::<peers::jsonrpsee::WebSocket>(&contender),
        "daemon-ipc, blocking" => act::<ours::Blocking>(&contender),
        _ => act::<ours::Async>(&contender),
    }
}

fn act<C: Contender>(name: &str) {
    let workers = argument(3).unwrap_or(0);
    let place: PathBuf = argument(4).expect("a place");
    let runtime = runtime(workers);
    if argument::<String>(1).is_some_and(|word| word == "serve") {
        std::thread::spawn(end_with_input);
        return runtime.block_on(C::serve(place));
    }
    let loads: Vec<String> = std::env::args().skip(7).collect();
    let client = load::Client {
        name,
        runtime: if workers == 0 { "ct" } else { "mt" },
        place: &place,
        server: argument(5).expect("a process"),
        seconds: argument(6).expect("seconds"),
    };
    for load in loads {
        runtime.block_on(client.run::<C>(&load));
    }
}

fn end_with_input() {
    drop(std::io::stdin().read(&mut [0]));
    std::process::exit(0);
}
