//! The arguments, as clap reads them and as help texts, completions and man pages show them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// What an operator asks of a program, as its arguments: to be flattened into those of the program.
///
/// ```
/// use clap::Parser;
/// use std::path::PathBuf;
///
/// #[derive(Parser)]
/// struct Args {
///     #[arg(long, default_value = "chat.db")]
///     db: PathBuf,
///     #[command(flatten)]
///     operator: daemon_cli::Operator,
/// }
///
/// let args = Args::parse_from(["chat", "--db", "other.db", "status", "--json"]);
/// assert_eq!(args.db, PathBuf::from("other.db"));
/// ```
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Operator {
    #[command(subcommand)]
    pub(crate) verb: Option<Embedded>,
}

/// What can be asked of the program itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Embedded {
    /// Run in the foreground; what happens without a command
    Run,
    /// Start in the background, and return once it is ready
    Start {
        #[command(flatten)]
        ask: Ask,
        /// This is the one in the background.
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Stop what runs, and start in the background
    Restart {
        #[command(flatten)]
        ask: Ask,
        /// This is the one in the background.
        #[arg(long, hide = true)]
        detached: bool,
    },
    #[command(flatten)]
    Verb(Verb),
}

/// `daemonctl`.
#[derive(Debug, Parser)]
#[command(
    name = "daemonctl",
    version,
    about = "Asks a daemon that runs on this machine",
    arg_required_else_help = true
)]
#[command(subcommand_required = true, after_help = EXIT_CODES)]
pub(crate) struct Daemonctl {
    /// The name of the daemon's host
    pub(crate) name: Option<String>,
    /// Its files are the system's, not the user's
    #[arg(long)]
    pub(crate) system: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every command line ends with.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done, 1 it failed or is unhealthy, 2 wrong arguments, 3 not running, 4 timed out, \
                                     5 refused, 6 it runs but cannot be talked to.";

/// What can be asked of whatever runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Stop it, and return once it has stopped
    Stop {
        #[command(flatten)]
        ask: Ask,
    },
    /// Show the host and its daemons
    Status {
        #[command(flatten)]
        ask: Ask,
    },
    /// Run the health checks; exits with 1 if it is unhealthy
    Health {
        #[command(flatten)]
        ask: Ask,
    },
    /// Show the daemons, or all there is to know of one
    Daemons {
        /// One of them
        daemon: Option<String>,
        #[command(flatten)]
        ask: Ask,
    },
    /// Start, stop or restart one daemon of the host
    Daemon {
        #[command(subcommand)]
        action: DaemonAction,
        #[command(flatten)]
        ask: Ask,
    },
    /// Show the subscriptions and what became of their events
    Subscriptions {
        /// Those of one daemon
        daemon: Option<String>,
        #[command(flatten)]
        ask: Ask,
    },
    /// Show the intervals, or steer one
    Schedule {
        #[command(subcommand)]
        action: Option<ScheduleAction>,
        #[command(flatten)]
        ask: Ask,
    },
    /// Call a command of a daemon
    Call {
        /// The command
        #[arg(value_name = "DAEMON.COMMAND")]
        route: String,
        /// Its request as JSON; `-` reads it from standard input
        #[arg(value_name = "JSON", allow_hyphen_values = true)]
        request: Option<String>,
        #[command(flatten)]
        ask: Ask,
    },
    /// List the commands of the daemons, or describe some
    Commands {
        /// Those of one daemon, or one command
        #[arg(value_name = "DAEMON[.COMMAND]")]
        which: Option<String>,
        #[command(flatten)]
        ask: Ask,
    },
    /// Look on at what is published, until it is interrupted
    Events {
        /// The topics, such as `data:users:*`
        #[arg(default_value = "**")]
        pattern: String,
        /// End after so many
        #[arg(short = 'n', long, value_name = "EVENTS")]
        count: Option<u64>,
        #[command(flatten)]
        ask: Ask,
    },
    /// Show or change which logs are written
    LogLevel {
        /// A level, or several for parts of the program: `info,app::store=debug`
        filter: Option<String>,
        /// Take it back after this long, such as `10m`
        #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "filter")]
        time: Option<Duration>,
        #[command(flatten)]
        ask: Ask,
    },
    /// Show what it logged while it ran in the background
    Logs {
        /// Go on as more is logged, until it is interrupted
        #[arg(short, long)]
        follow: bool,
        /// Begin with so many lines
        #[arg(short = 'n', long, value_name = "LINES", default_value_t = 50)]
        lines: usize,
        /// Show what the program itself printed instead, and its reports
        #[arg(long)]
        output: bool,
    },
    /// Show the latest changes of state
    Journal {
        /// The last so many
        #[arg(short = 'n', long, value_name = "LINES", default_value_t = 50)]
        lines: usize,
        #[command(flatten)]
        ask: Ask,
    },
    /// Show events that nobody heard, and subscriptions that heard nothing
    Audit {
        #[command(flatten)]
        ask: Ask,
    },
    /// Load the configuration anew
    Reload {
        #[command(flatten)]
        ask: Ask,
    },
    /// Wait until it is ready, or has stopped
    Wait {
        #[command(flatten)]
        state: Awaited,
        #[command(flatten)]
        ask: Ask,
    },
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a man page
    Man {
        /// Of a command; else of all of them together
        command: Option<String>,
        /// Write the page of each command to a file in this directory
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
}

/// How an answer is to look, and how long it is waited for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Ask {
    /// Write JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Give up after this long, such as `5s` [10s to ask; 30s to call; 90s to start, stop, reload and wait]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// What is to be done to a daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum DaemonAction {
    /// Start it, after those it requires
    Start { daemon: String },
    /// Stop it, after those that require it
    Stop { daemon: String },
    /// Stop and start it, with those that require it around it
    Restart { daemon: String },
}

/// What is to be done to intervals.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleAction {
    /// List them; what happens without a command
    List {
        /// Those of one daemon
        daemon: Option<String>,
    },
    /// Keep one from ticking until it is resumed
    Pause(Interval),
    /// Let one tick again
    Resume(Interval),
    /// Make one tick now
    Run(Interval),
    /// Give one another period, such as `30s` or `off`
    Period {
        #[command(flatten)]
        of: Interval,
        period: String,
    },
}

/// One interval.
#[derive(Debug, Args)]
pub(crate) struct Interval {
    /// The interval, as the list names it
    #[arg(value_name = "DAEMON.INTERVAL")]
    pub(crate) interval: String,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Awaited {
    /// That it runs, and every daemon with it that it requires
    #[arg(long)]
    pub(crate) ready: bool,
    /// That it no longer runs
    #[arg(long)]
    pub(crate) stopped: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    daemon_core::time::duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
