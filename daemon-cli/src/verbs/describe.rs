//! What the definitions of the arguments also give: completions and man pages.

use std::fs;
use std::path::Path;

use clap::{Args as _, Command};
use clap_mangen::Man;

use crate::args::{Ask, Verb};
use crate::error::{Error, Kind};
use crate::output::Out;

/// Writes what describes the command line, if that is what was asked for.
pub(crate) fn describe(verb: &Verb, definition: impl FnOnce() -> Command) -> Option<Result<(), Error>> {
    match verb {
        Verb::Completions { shell } => {
            let (mut definition, mut script) = (for_people(definition()), Vec::new());
            let name = definition.get_name().to_owned();
            clap_complete::generate(*shell, &mut definition, name, &mut script);
            Some(Out::new(false).text(&String::from_utf8_lossy(&script)))
        }
        Verb::Man { command, dir } => Some(man(for_people(definition()), command.as_deref(), dir.as_deref())),
        _ => None,
    }
}

/// Without what one process says to another: not every generator leaves out what is hidden.
fn for_people(definition: Command) -> Command {
    definition.mut_subcommands(|verb| match verb.get_name() {
        "start" | "restart" => {
            let about = verb.get_about().cloned().unwrap_or_default();
            Ask::augment_args(Command::new(verb.get_name().to_owned())).about(about)
        }
        _ => verb,
    })
}

fn man(mut definition: Command, command: Option<&str>, dir: Option<&Path>) -> Result<(), Error> {
    if let Some(dir) = dir {
        let unwritten = |error| Error::failed(format!("cannot write to {}: {error}", dir.display()));
        return fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(definition, dir)).map_err(unwritten);
    }
    definition.build();
    let page = match command {
        None => definition,
        Some(command) => {
            let unknown = || Error::new(Kind::Usage, format!("there is no command `{command}`"));
            let title = format!("{}-{command}", definition.get_name());
            definition.find_subcommand(command).ok_or_else(unknown)?.clone().name(title)
        }
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(|error| Error::unwritten(&error))?;
    Out::new(false).text(&String::from_utf8_lossy(&text))
}
