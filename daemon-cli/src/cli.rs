//! From the arguments of a program to what is done, and to its exit code.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args as _, CommandFactory, FromArgMatches, Parser};
use daemon_core::instance::Scope;
use daemon_core::{BoxError, Declared, Host};
use daemon_ipc::{ControlServer, IpcServer};

use crate::args::{Ask, Daemonctl, Embedded, Operator, Verb};
use crate::client::TO_CHANGE;
use crate::detach::{self, Ready};
use crate::error::{Error, Kind};
use crate::instance::Instance;
use crate::output::{Out, say};
use crate::{log, verbs};
use daemon_core::with_sources;

/// What is said to who calls it in a runtime.
const WITHIN_A_RUNTIME: &str = "the command line makes its own runtime, and cannot run within another; call it from a plain `fn main() -> ExitCode`";

/// Runs the host, or asks the one that runs, as the arguments of this process say; returns the code to exit with.
///
/// The host gets an [`IpcServer`] and a [`ControlServer`] if it has none. Where the program has installed no tracing subscriber, its logs go
/// to standard error, and in the background to a file.
///
/// # Panics
/// If it is called where a runtime is, such as from an `async fn main`.
#[track_caller]
pub fn main(host: Host) -> ExitCode {
    Cli::of(host).main()
}

/// `daemonctl`: asks the daemon that the arguments of this process name.
pub fn daemonctl() -> ExitCode {
    let parsed = match Daemonctl::try_parse() {
        Ok(parsed) => parsed,
        Err(error) => return told(&error),
    };
    let Daemonctl { name, system, verb } = parsed;
    if let Some(done) = verbs::describe(&verb, Daemonctl::command) {
        return ended("daemonctl", done, false);
    }
    let Some(name) = name else {
        let error = Daemonctl::command().error(
            clap::error::ErrorKind::MissingRequiredArgument,
            "which daemon? put its name before the command: daemonctl NAME status",
        );
        return told(&error);
    };
    let json = verb.is_json();
    let scope = if system { Scope::System } else { Scope::User };
    let done = Instance::of_name(&name, scope).and_then(|instance| verbs::ask(&instance, verb));
    ended(&name, done, json)
}

/// The command line of one program.
///
/// ```no_run
/// use clap::{CommandFactory, Parser};
/// use daemon_core::Host;
/// use std::{path::PathBuf, process::ExitCode};
///
/// #[derive(Parser)]
/// struct Args {
///     #[arg(long, default_value = "chat.db")]
///     db: PathBuf,
///     #[command(flatten)]
///     operator: daemon_cli::Operator,
/// }
///
/// fn main() -> ExitCode {
///     let Args { db, operator } = Args::parse();
///     let cli = daemon_cli::Cli::new("chat", move || Ok::<_, std::io::Error>(host(&std::fs::canonicalize(db)?)));
///     cli.definition(Args::command()).run(operator)
/// }
///
/// fn host(db: &std::path::Path) -> Host {
///     Host::new("chat")
/// }
/// ```
#[must_use = "it does nothing until it is run"]
pub struct Cli {
    name: String,
    scope: Scope,
    make: Box<dyn FnOnce() -> Result<Host, BoxError>>,
    /// Of a host that was made already.
    instance: Option<Result<Instance, Error>>,
    definition: Option<clap::Command>,
}

impl Cli {
    /// For the host `name`, which is made only if it is to run.
    pub fn new<E: Into<BoxError>>(name: impl Into<String>, make: impl FnOnce() -> Result<Host, E> + 'static) -> Self {
        let make = Box::new(|| make().map_err(Into::into));
        Self { name: name.into(), scope: Scope::User, make, instance: None, definition: None }
    }

    fn of(host: Host) -> Self {
        let instance = Some(Instance::of_host(&host));
        Self { instance, scope: host.scope(), ..Self::new(host.name().to_owned(), move || Ok::<_, BoxError>(host)) }
    }

    /// Looks for the files of the instance in the directories of the system, as [`Host::system`] puts them there.
    pub fn system(mut self) -> Self {
        self.scope = Scope::System;
        self
    }

    /// The arguments of the program, for its completions and man pages [[`Operator`] alone].
    pub fn definition(mut self, definition: clap::Command) -> Self {
        self.definition = Some(definition);
        self
    }

    /// As [`run`](Self::run), with what the arguments of this process say. They may be those of [`Operator`] only.
    ///
    /// # Panics
    /// If it is called where a runtime is, such as from an `async fn main`.
    #[track_caller]
    pub fn main(self) -> ExitCode {
        let definition = definition(&self.name);
        let parsed = definition.clone().try_get_matches().and_then(|matches| Operator::from_arg_matches(&matches));
        match parsed {
            Ok(operator) => self.definition(definition).run(operator),
            Err(error) => told(&error),
        }
    }

    /// Does what the operator asks, and returns the code to exit with: that of [`Host::run`] if the host ran.
    ///
    /// # Panics
    /// If it is called where a runtime is, such as from an `async fn main`.
    #[track_caller]
    pub fn run(self, operator: Operator) -> ExitCode {
        assert!(tokio::runtime::Handle::try_current().is_err(), "{WITHIN_A_RUNTIME}");
        let name = self.name.clone();
        match operator.verb.unwrap_or(Embedded::Run) {
            Embedded::Run => self.host(None),
            Embedded::Start { detached: true, .. } | Embedded::Restart { detached: true, .. } => match detach::detach()
            {
                Ok(ready) => self.host(Some(ready)),
                Err(error) => ended(&name, Err(error), false),
            },
            Embedded::Start { ask, .. } => {
                let done = self.instance().and_then(|instance| start(&instance, ask));
                ended(&name, done, ask.json)
            }
            Embedded::Restart { ask, .. } => {
                let done = self.instance().and_then(|instance| restart(&instance, ask));
                ended(&name, done, ask.json)
            }
            Embedded::Verb(verb) => {
                let json = verb.is_json();
                let defined = self.definition.clone().unwrap_or_else(|| definition(&name));
                let done = verbs::describe(&verb, || defined);
                let done = done.unwrap_or_else(|| self.instance().and_then(|instance| verbs::ask(&instance, verb)));
                ended(&name, done, json)
            }
        }
    }

    fn instance(&self) -> Result<Instance, Error> {
        self.instance.clone().unwrap_or_else(|| Instance::of_name(&self.name, self.scope))
    }

    /// Runs the host: here, or in the background with somebody who waits until it is ready.
    fn host(self, mut ready: Option<Ready>) -> ExitCode {
        let name = self.name.clone();
        let host = match self.prepared(ready.is_some()) {
            Ok(host) => host,
            Err(error) => {
                if let Some(ready) = &mut ready {
                    ready.refuse(&error.message);
                }
                return ended(&name, Err(error), false);
            }
        };
        match ready {
            Some(mut ready) => host.on_settled(move |settled| ready.tell(settled)).run(),
            None => host.run(),
        }
    }

    /// The host with all that operators need.
    fn prepared(self, is_detached: bool) -> Result<Host, Error> {
        let instance = self.instance()?;
        let log = if is_detached { log::to_file(&instance)? } else { log::to_stderr(&self.name)? };
        let host = (self.make)().map_err(|error| Error::failed(with_sources(&*error)))?;
        if host.name() != self.name {
            let (host, cli) = (host.name(), &self.name);
            return Err(Error::failed(format!(
                "the host is named `{host}`, and its command line `{cli}`; give both one name"
            )));
        }
        let host = if self.scope == Scope::System { host.system() } else { host };
        let has = |name: &str| host.daemon_names().any(|daemon| daemon == name);
        let (has_ipc, has_control) = (has(IpcServer::NAME), has(ControlServer::NAME));
        let host = if has_ipc { host } else { host.daemon(IpcServer::new()) };
        let host = log.export.add_to(host);
        let control = log.filter.into_iter().fold(ControlServer::new(), ControlServer::log_filter);
        Ok(if has_control { host } else { host.daemon(control) })
    }
}

impl std::fmt::Debug for Cli {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cli").field("name", &self.name).field("scope", &self.scope).finish_non_exhaustive()
    }
}

fn start(instance: &Instance, ask: Ask) -> Result<(), Error> {
    detach::start(instance, ask.timeout.unwrap_or(TO_CHANGE), Out::new(ask.json))
}

fn restart(instance: &Instance, ask: Ask) -> Result<(), Error> {
    let limit = ask.timeout.unwrap_or(TO_CHANGE);
    let stopped = verbs::stop(instance, limit)?;
    if !ask.json {
        say(stopped.text(instance));
    }
    start(instance, ask)
}

/// The definition of a program that has no arguments of its own.
fn definition(host: &str) -> clap::Command {
    let program = std::env::args_os().next().unwrap_or_else(|| OsString::from(host));
    let program =
        Path::new(&program).file_name().map_or_else(|| host.to_owned(), |name| name.to_string_lossy().into_owned());
    let command = clap::Command::new(program).about(format!("Runs the daemon {host}, and asks the one that runs"));
    Operator::augment_args(command)
}

/// Tells what clap has to say: what is wrong with the arguments, or the help that was asked for.
fn told(error: &clap::Error) -> ExitCode {
    drop(error.print()); // nobody reads: the exit code tells
    ExitCode::from(if error.use_stderr() { Kind::Usage.exit_code() } else { 0 })
}

/// Tells why it came to nothing, if it did.
fn ended(name: &str, done: Result<(), Error>, json: bool) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    match error.kind {
        Kind::Unread => {}
        _ if json => say(error.json()),
        _ if error.message.is_empty() => {}
        // What the host has said of itself names it.
        _ if error.message.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')) => say(error.message),
        _ => say(format_args!("{name}: {}", error.message)),
    }
    ExitCode::from(error.kind.exit_code())
}

impl Verb {
    /// Whether a script reads the answer.
    fn is_json(&self) -> bool {
        self.how().is_some_and(|ask| ask.json)
    }
}
