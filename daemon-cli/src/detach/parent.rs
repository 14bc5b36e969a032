//! The process that starts another in the background, and waits until that is ready or known not to get so.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use daemon_core::{Settled, StartReport};
use serde::Serialize;

use super::message::Message;
use super::sys;
use crate::client::{Deadline, block_on};
use crate::error::{Error, Kind};
use crate::instance::{Holder, Instance};
use crate::log::{numbered, open};
use crate::output::{Out, say};
use crate::verbs;
use crate::words::{count, short};

/// How large the file may be that takes what the program prints before another is begun; looked at only here.
const LARGEST: u64 = 1024 * 1024;
/// How much of that file is shown of a program that ended without a word.
const SHOWN: u64 = 4 * 1024;
/// How often it is looked whether a process has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// What a start came to.
#[derive(Debug, Serialize)]
struct Started {
    pid: Option<u32>,
    /// Whether it was this start; otherwise it ran already.
    started: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<StartReport>,
}

/// Starts the program in the background. If another runs it is waited for, and if that ends this one has its turn.
pub(crate) fn start(instance: &Instance, limit: Duration, out: Out) -> Result<(), Error> {
    let deadline = Deadline::new(limit);
    loop {
        let first = match instance.holder() {
            Holder::Process(pid) => pid,
            Holder::Nobody | Holder::Unknown => match attempt(instance, deadline, out)? {
                Attempt::Started => return Ok(()),
                Attempt::Second(pid) => pid,
            },
        };
        match block_on(verbs::until_ready(instance, deadline, first)) {
            Err(error) if error.kind == Kind::NotRunning && !deadline.is_over() => {}
            Err(error) => return Err(error),
            Ok(status) => {
                let pid = status.pid;
                let text = || format!("{} runs already with PID {pid}\n", instance.name);
                return out.answer(&Started { pid: Some(pid), started: false, start: None }, text);
            }
        }
    }
}

/// What an attempt to be the one that runs came to.
enum Attempt {
    Started,
    /// Another was first.
    Second(Option<u32>),
}

fn attempt(instance: &Instance, deadline: Deadline, out: Out) -> Result<Attempt, Error> {
    let output = instance.output_file()?;
    let (mut child, from) = spawn(&output)?;
    let pid = child.id();
    let lines = child.stdout.take().map(lines_of);
    match lines.map_or(Heard::End, |lines| listen(&lines, deadline)) {
        Heard::Settled(Settled::Running(start)) => {
            let took = short(Duration::from_millis(start.took_ms));
            let text = format!(
                "{} runs: PID {pid}, {}, ready in {took}\n",
                instance.name,
                count(start.daemons.len(), "daemon")
            );
            out.answer(&Started { pid: Some(pid), started: true, start: Some(start) }, || text)?;
            Ok(Attempt::Started)
        }
        Heard::Settled(Settled::AlreadyRunning { pid, .. }) => Ok(Attempt::Second(pid)),
        Heard::Settled(settled) => {
            let status = ended(&mut child, deadline);
            Err(Error::new(exit_of(status), settled.to_string().trim_end().to_owned()))
        }
        Heard::End => {
            let status = ended(&mut child, deadline);
            let how = status.map_or_else(|| "closed its output".to_owned(), how);
            let said = said_since(&output, from);
            let said = if said.is_empty() { String::new() } else { format!("; it said:\n{said}") };
            Err(Error::new(exit_of(status), format!("it {how} before it was ready{said}")))
        }
        Heard::Nothing => {
            let text = format!("not ready, and still starting with PID {pid}; `wait --ready` goes on waiting");
            Err(Error::timed_out(&text, deadline.limit))
        }
    }
}

/// Executes this program anew with the same arguments; returns from where on it prints to its file.
fn spawn(output: &Path) -> Result<(Child, u64), Error> {
    let failed = |what: String| move |error: io::Error| Error::failed(format!("cannot {what}: {error}"));
    let unwritten = || failed(format!("write to {}", output.display()));
    if fs::metadata(output).is_ok_and(|data| data.len() > LARGEST) {
        fs::rename(output, numbered(output, 1)).map_err(unwritten())?;
    }
    let file = open(output).map_err(unwritten())?;
    let from = file.metadata().map_err(unwritten())?.len();
    let program = std::env::current_exe().map_err(failed("find this program".to_owned()))?;
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    arguments.retain(|argument| argument != "--json"); // what it says is for this process
    if arguments.last().is_some_and(|last| last == "--") {
        arguments.pop();
    }
    let mut command = Command::new(program);
    command.args(arguments).arg("--detached").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
    sys::set_apart(&mut command);
    let child = command.spawn().map_err(failed("execute this program anew".to_owned()))?;
    Ok((child, from))
}

/// What is heard from the new process.
enum Heard {
    Settled(Settled),
    /// It closed the pipe without a word.
    End,
    /// Nothing in time.
    Nothing,
}

/// Reads lines on a thread of its own, so that nobody waits for them without a limit.
fn lines_of(pipe: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// Waits for the message; passes on whatever else the program prints.
fn listen(lines: &Receiver<String>, deadline: Deadline) -> Heard {
    loop {
        match lines.recv_timeout(deadline.left()) {
            Ok(line) => match Message::read(&line) {
                Some(Message { settled }) => return Heard::Settled(settled),
                None => say(line),
            },
            Err(RecvTimeoutError::Disconnected) => return Heard::End,
            Err(RecvTimeoutError::Timeout) => return Heard::Nothing,
        }
    }
}

/// How the process ended, if it did in time.
fn ended(child: &mut Child, deadline: Deadline) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) if !deadline.is_over() => thread::sleep(PAUSE),
            Ok(status) => return status,
            Err(_) => return None,
        }
    }
}

fn exit_of(status: Option<ExitStatus>) -> Kind {
    let code = status.and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    code.filter(|code| *code != 0).map_or(Kind::Failed, Kind::Exited)
}

fn how(status: ExitStatus) -> String {
    match (status.code(), sys::signal(status)) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The last of what was printed to a file since it was so long.
fn said_since(output: &Path, from: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(output)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(SHOWN))))?;
        let mut bytes = Vec::new();
        file.take(SHOWN).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    read().unwrap_or_default() // it is beside the point
}
