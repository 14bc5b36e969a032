//! A program that contends for a lock, for the tests of it.
//!
//! `contender LOCK WITNESS [--fork stays|goes|takes]`: for a byte of standard input it tries for the lock. It says `held by PID`, and
//! gives the lock back at the end of the input; or it says `refused by PID` or `failed: WHY` and ends.
//!
//! While it holds the lock it holds another one, on WITNESS, which nobody ever removes: who cannot have that one as well has found
//! a second holder, and says `two hold it`.

#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "what it says is what its tests wait for")]

use std::fs::File;
use std::process::ExitCode;

use daemon_core::instance::{DaemonLock, is_daemon_alive};
use rustix::event::{PollFd, PollFlags};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [lock, beside, more @ ..] = &*args else { return ExitCode::from(2) };
    let Ok(witness) = open_witness(beside) else { return ExitCode::from(2) };
    // The standard library would read ahead, and take the bytes of others.
    if !matches!(rustix::io::read(std::io::stdin(), &mut [0; 1]), Ok(1)) {
        return ExitCode::SUCCESS;
    }
    let lock = match DaemonLock::acquire(lock) {
        Ok(lock) => lock,
        Err(error) if error.is_already_running() => {
            println!("refused by {}", error.pid.map_or_else(|| "nobody".to_owned(), |pid| pid.to_string()));
            return ExitCode::from(69);
        }
        Err(error) => {
            println!("failed: {}", error.message);
            return ExitCode::FAILURE;
        }
    };
    if witness.try_lock().is_err() {
        println!("two hold it");
        return ExitCode::from(3);
    }
    let _second = match more {
        [_fork, then] => {
            let (Ok(second), Ok(file)) =
                (DaemonLock::acquire(format!("{beside}.second")), in_place_of_a_lock(&format!("{beside}.before")))
            else {
                return ExitCode::from(2);
            };
            if fork() {
                return forked(then, lock, &file, &format!("{beside}.own"));
            }
            Some(second)
        }
        _ => None,
    };
    println!("held by {}", std::process::id());
    // Waits for the end of the input, and leaves the bytes that are for others.
    let stdin = std::io::stdin();
    let closed = rustix::event::poll(&mut [PollFd::new(&stdin, PollFlags::empty())], None);
    let released = closed.is_ok() && witness.unlock().is_ok() && lock.release().is_ok();
    if released { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Opens the witness so that the kernel lets go of it first when it ends a process that was killed: it does so from the last descriptor
/// to the first. Were it the other way round, who has the lock a moment later would find the witness still held by the dead.
fn open_witness(path: &str) -> std::io::Result<File> {
    const HIGH: i32 = 100;
    let witness = File::options().append(true).create(true).open(path)?;
    Ok(rustix::io::fcntl_dupfd_cloexec(witness, HIGH)?.into())
}

/// Forks without executing anything; whether this is the child.
#[expect(unsafe_code, reason = "a fork without exec is what is tried")]
fn fork() -> bool {
    // SAFETY: this program has one thread, so the child may do whatever the parent may.
    unsafe { libc::fork() == 0 }
}

/// A file with the number that a lock had which was given back.
fn in_place_of_a_lock(path: &str) -> Result<File, Box<dyn std::error::Error>> {
    DaemonLock::acquire(path)?.release()?;
    Ok(File::open("/dev/null")?)
}

/// What a child does that was forked without exec, with what it has of its parent's.
fn forked(then: &str, parents: DaemonLock, file: &File, own: &str) -> ExitCode {
    match then {
        "goes" => return ExitCode::SUCCESS,
        "takes" => {
            let own_lock = DaemonLock::acquire(own);
            drop(parents);
            let has = own_lock.is_ok() && is_daemon_alive(own) && file.metadata().is_ok();
            let released = own_lock.and_then(DaemonLock::release).is_ok() && !std::path::Path::new(own).exists();
            let Ok(file) = in_place_of_a_lock(own) else { return ExitCode::from(2) };
            if fork() {
                println!("grandchild: {}", file.metadata().is_ok());
            } else {
                println!("child: {}", has && released);
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    loop {
        std::thread::park();
    }
}
