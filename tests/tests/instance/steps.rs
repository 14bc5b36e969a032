//! Kills a contender after each of the system calls by which it takes the lock and gives it back, one after the other.

use std::io;

use super::{Arena, Result};

/// How a process that is traced came to stand still.
enum Stood {
    /// At a system call.
    At,
    /// It ended.
    Ended,
}

/// A process that is led from one system call to the next; see ptrace(2).
struct Led {
    pid: libc::pid_t,
}

impl Led {
    fn lead(pid: u32) -> io::Result<Self> {
        let led = Self { pid: pid.cast_signed() };
        led.ask(libc::PTRACE_SEIZE, libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD)?;
        led.ask(libc::PTRACE_INTERRUPT, 0)?;
        led.wait()?;
        Ok(led)
    }

    /// Goes on to the beginning or the end of a system call.
    fn step(&self) -> io::Result<Stood> {
        self.ask(libc::PTRACE_SYSCALL, 0)?;
        self.wait()
    }

    #[expect(unsafe_code, reason = "tracing has no safe interface")]
    fn ask(&self, what: libc::c_uint, data: libc::c_int) -> io::Result<()> {
        // SAFETY: none of these requests reads or writes memory, of this process or of the other.
        let answer = unsafe { libc::ptrace(what, self.pid, 0, libc::c_long::from(data)) };
        if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    #[expect(unsafe_code, reason = "the standard library does not tell of processes that stand still")]
    fn wait(&self) -> io::Result<Stood> {
        let mut status = 0;
        // SAFETY: `status` is a place for the answer.
        if unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(if libc::WIFSTOPPED(status) { Stood::At } else { Stood::Ended })
    }
}

#[test]
fn killed_at_any_step_it_keeps_nobody_from_starting() -> Result {
    let arena = Arena::new()?;
    for steps in 0.. {
        let (mut gate, mut contenders) = arena.enter(1, &[])?;
        let led = match Led::lead(contenders[0].pid()) {
            Ok(led) => led,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tests::not_run("killing at each step", "this user may not trace a process");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        gate.open()?;
        drop(gate); // so it gives the lock back as soon as it has it
        let ended = (0..steps).any(|_| matches!(led.step(), Ok(Stood::Ended)));
        if ended {
            assert!(steps > 50, "it ended after {steps} steps: has it tried at all?");
            break;
        }
        contenders[0].kill();
        arena.starts();
    }
    arena.starts();
    Ok(())
}
