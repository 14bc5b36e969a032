//! The command line.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::store::Location;

/// A chat system of thirteen daemons: a database, the people and personas in it, and a source tree to talk about.
///
/// Other processes call its commands and hear its events through the socket of its instance; `daemonctl chatroom` steers it.
///
/// Every line on standard input becomes a chat message: `room: text`, or just text for the room `general`. The end of
/// standard input stops nothing; Ctrl-C, SIGTERM and `--for` do.
#[derive(Debug, Parser)]
#[command(name = "chatroom", version, args_override_self = true)]
pub(crate) struct Args {
    /// Keep the rows in this SQLite file [default: in memory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    /// Index this source tree and follow its changes
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) watch: PathBuf,

    /// Stop after this time, such as 10s or 1m30s
    #[arg(long = "for", value_name = "TIME", value_parser = some_time)]
    pub(crate) stop_after: Option<Duration>,

    /// Write the shutdown report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Write figures to this file once a second, as text of Prometheus
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,

    /// Requests of the proxy go to this server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) upstream: hyper::Uri,

    /// Show the status page at this port of this machine
    #[arg(long, value_name = "PORT")]
    pub(crate) http: Option<u16>,

    /// Kill and hang the daemons at random, for the time of --for or a minute; end once they have recovered
    #[arg(long)]
    chaos: bool,

    /// Repeat the chaos of this seed
    #[arg(long, value_name = "NUMBER", requires = "chaos")]
    seed: Option<u64>,

    /// Print warnings and errors only
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// How long chaos reigns unless `--for` says otherwise.
const CHAOS: Duration = Duration::from_secs(60);

impl Args {
    /// The seed of the chaos that is asked for, if it is, and how long it is to last.
    pub(crate) fn chaos(&self) -> Option<(u64, Duration)> {
        let seed = || RandomState::new().hash_one(std::process::id());
        self.chaos.then(|| (self.seed.unwrap_or_else(seed), self.stop_after.unwrap_or(CHAOS)))
    }

    pub(crate) fn location(&self) -> Location {
        self.db.clone().map_or(Location::Memory, Location::File)
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    match daemon_core::time::duration(text) {
        Ok(time) if time.is_zero() => Err("the time is zero; name one such as 10s".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_and_times() {
        let args = Args::try_parse_from(["chatroom"]).unwrap();
        assert!(matches!(args.location(), Location::Memory));
        assert_eq!((args.watch.to_str(), args.stop_after), (Some("."), None));
        assert_eq!(args.http, None, "nothing listens unless it is asked for");
        let args = Args::try_parse_from(["chatroom", "--for", "1m30s", "--db", "x.db"]).unwrap();
        assert_eq!(args.stop_after, Some(Duration::from_secs(90)));
        assert!(matches!(args.location(), Location::File(path) if path.to_str() == Some("x.db")));
        assert_eq!(args.chaos(), None);
        let args = Args::try_parse_from(["chatroom", "--chaos", "--seed", "7"]).unwrap();
        assert_eq!(args.chaos(), Some((7, Duration::from_secs(60))));
        assert!(Args::try_parse_from(["chatroom", "--seed", "7"]).is_err(), "a seed of nothing");
        for wrong in ["0s", "5 parsecs", ""] {
            assert!(Args::try_parse_from(["chatroom", "--for", wrong]).is_err(), "{wrong:?}");
        }
    }
}
