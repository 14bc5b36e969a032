//! Starting in the background: the program executes itself anew, without a terminal, and tells through a pipe when it is ready.
//!
//! The pipe is the standard output of the new process until that has made it its own. What the program prints before that is passed on.

#[cfg(unix)]
mod child;
mod message;
#[cfg(unix)]
mod parent;

#[cfg(unix)]
pub(crate) use child::{Ready, detach};
#[cfg(unix)]
pub(crate) use parent::start;

#[cfg(not(unix))]
pub(crate) use elsewhere::{Ready, detach, start};

/// Where there is no way to leave a terminal, a service manager does it.
#[cfg(not(unix))]
mod elsewhere {
    use std::time::Duration;

    use daemon_core::Settled;

    use crate::error::Error;
    use crate::instance::Instance;
    use crate::output::Out;

    #[derive(Debug)]
    pub(crate) enum Ready {}

    impl Ready {
        pub(crate) fn tell(&mut self, _settled: &Settled) {
            match *self {}
        }

        pub(crate) fn refuse(&mut self, _why: &str) {
            match *self {}
        }
    }

    fn refused() -> Error {
        Error::failed("this system has no background to start in; use `run`, or a service")
    }

    pub(crate) fn detach() -> Result<Ready, Error> {
        Err(refused())
    }

    pub(crate) fn start(_instance: &Instance, _limit: Duration, _out: Out) -> Result<(), Error> {
        Err(refused())
    }
}
