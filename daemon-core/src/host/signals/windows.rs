//! Ctrl-C, Ctrl-Break, and the console's close, logoff and shutdown.

use std::io;
use std::time::Duration;

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};
use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

use super::Signal;

/// How long Windows lets a console program live after these, less a second: see HandlerRoutine.
const SYSTEM: Option<Duration> = Some(Duration::from_secs(4));

/// The events a host listens to.
#[derive(Debug)]
pub(in crate::host) struct Signals {
    ctrl_c: CtrlC,
    ctrl_break: CtrlBreak,
    close: CtrlClose,
    logoff: CtrlLogoff,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// Begins to listen.
    pub(in crate::host) fn listen() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: ctrl_c()?,
            ctrl_break: ctrl_break()?,
            close: ctrl_close()?,
            logoff: ctrl_logoff()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// The next event. Cancel safe.
    pub(in crate::host) async fn next(&mut self) -> Signal {
        let (name, within) = tokio::select! {
            biased;
            Some(()) = self.ctrl_c.recv() => ("Ctrl-C", None),
            Some(()) = self.ctrl_break.recv() => ("Ctrl-Break", None),
            Some(()) = self.close.recv() => ("console close", SYSTEM),
            Some(()) = self.logoff.recv() => ("logoff", SYSTEM),
            Some(()) = self.shutdown.recv() => ("system shutdown", SYSTEM),
            else => std::future::pending().await,
        };
        Signal { name, forced_code: 1, forces: true, reloads: false, within }
    }
}
