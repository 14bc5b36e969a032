//! A chat system of thirteen daemons around a real database, and three that every program can have: one lets other processes in, one
//! obeys operators, one watches over health. What `daemon-core` is for, in one program.
//!
//! This file assembles it. `daemons/` holds the thirteen, one to a file; `store/` the database, `tree/` the source tree,
//! and the other modules the decisions, which are pure.

mod announce;
mod args;
mod chaos;
mod daemons;
mod entity;
mod input;
mod log;
mod membership;
mod message;
mod persona;
mod store;
mod storm;
mod terminal;
#[cfg(test)]
mod testing;
mod tree;
mod upstream;
mod window;

use std::process::ExitCode;

use clap::Parser;
use daemon_core::Host;
use daemon_health::HealthMonitor;
use daemon_health::http::{HttpEndpoint, LogTail};
use daemon_ipc::{ControlServer, IpcServer};

use crate::daemons::{
    ChaosDaemon, CodeDaemon, CommandDaemon, ConsoleDaemon, DataDaemon, EventsDaemon, HealthDaemon, LeaseDaemon,
    ProxyDaemon, RoomMembershipDaemon, SessionDaemon, TrainingDaemon, UserDaemon, WidgetDaemon,
};

fn main() -> ExitCode {
    let args = args::Args::parse();
    let lines = LogTail::new();
    let log = log::install(args.quiet, args.http.map(|_| lines.clone()));
    let (location, chaos) = (args.location(), args.chaos());
    // Under chaos the end comes once all have recovered.
    let stop_after = args.stop_after.filter(|_| chaos.is_none());
    let mut host = Host::new("chatroom")
        .daemon(IpcServer::new())
        .daemon(ControlServer::new())
        // `health` is the name of one of the thirteen.
        .daemon_as("monitor", HealthMonitor::new())
        .daemon(ConsoleDaemon::new(log))
        .daemon_with(move || DataDaemon::open(location.clone()))
        .daemon(CommandDaemon::new(stop_after))
        .daemon(EventsDaemon::default())
        .daemon(WidgetDaemon::new(args.quiet))
        .daemon(HealthDaemon::new(args.metrics))
        .daemon(ProxyDaemon::new(args.upstream))
        .daemon(SessionDaemon::default())
        .daemon(UserDaemon::default())
        .daemon(TrainingDaemon::default())
        .daemon(RoomMembershipDaemon::default())
        .daemon(LeaseDaemon::default())
        .daemon(CodeDaemon::new(args.watch));
    if let Some((seed, lasts)) = chaos {
        host = host.daemon(ChaosDaemon::new(seed, lasts));
    }
    if let Some(port) = args.http {
        host = host.daemon(HttpEndpoint::on(([127, 0, 0, 1], port)).log_tail(lines));
    }
    if args.quiet {
        host = host.quiet();
    }
    if let Some(report) = args.report {
        host = host.report_file(report);
    }
    host.run()
}
