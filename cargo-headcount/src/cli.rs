//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::Error;

pub(crate) const HELP: &str = "\
Finds every spawn of a tokio code base, and moves them over to headcount.

Usage: cargo headcount audit   [PATH]… [--json] [--ratchet FILE [--update]] [--no-tests] [--exclude PATH]…
       cargo headcount migrate [PATH]… [--dry-run] [--name] [--crate NAME] [--with API]… [--no-tests] [--exclude PATH]…

PATH is a directory or a file, the working directory if none is given. Hidden directories and build directories are left out.

audit lists every spawn with file and line, and counts them by form.
  --json           as JSON
  --ratchet FILE   fails if a count is above that in FILE
  --update         writes the counts to FILE

migrate replaces spawns by headcount's, and reports what it leaves. A second run changes nothing.
  --dry-run        prints a diff and changes no file
  --name           gives proposed names to the tasks of a function that spawns several, or is called `new`
  --crate NAME     headcount (the default) or headcount-core
  --with API       uses a function that not every version has: spawn_in (JoinSet), spawn_blocking_on (Handle, Runtime)

Both:
  --no-tests       leaves out tests/, benches/ and what is under #[test] or #[cfg(test)]
  --exclude PATH   leaves out a file or directory

Exit code: 0 done; 1 a count is above the ratchet's; 2 wrong usage, or a file that cannot be read, parsed or written. With 2, migrate has changed nothing,
unless the message names the files that were written.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Version,
    Audit(Audit),
    Migrate(Migrate),
}

/// What both commands look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) exclude: Vec<PathBuf>,
    pub(crate) no_tests: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) selection: Selection,
    pub(crate) json: bool,
    pub(crate) ratchet: Option<PathBuf>,
    pub(crate) update: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Migrate {
    pub(crate) selection: Selection,
    pub(crate) dry_run: bool,
    pub(crate) name: bool,
    /// The crate as it is called in paths.
    pub(crate) target: Target,
    pub(crate) spawn_in: bool,
    pub(crate) spawn_blocking_on: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    #[default]
    Headcount,
    Core,
}

impl Target {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Headcount => "headcount",
            Self::Core => "headcount_core",
        }
    }

    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Headcount => "headcount",
            Self::Core => "headcount-core",
        }
    }
}

/// Reads the arguments; cargo puts the subcommand's name in front of them.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.first().is_some_and(|first| first == "headcount") {
        arguments.remove(0);
    }
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    if texts.iter().any(|text| matches!(*text, "--help" | "-h")) || matches!(texts[..], ["help", ..]) {
        return Ok(Command::Help);
    }
    let mut rest = arguments.into_iter();
    let Some(command) = rest.next() else { return Err(wrong("a command is missing: audit or migrate")) };
    match command.to_str() {
        Some("--version" | "-V") => Ok(Command::Version),
        Some("audit") => audit(rest),
        Some("migrate") => migrate(rest),
        _ => Err(wrong(format!("no command `{}`: there are audit and migrate", command.to_string_lossy()))),
    }
}

fn audit(mut rest: impl Iterator<Item = OsString>) -> Result<Command, Error> {
    let mut audit = Audit::default();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--json") => audit.json = true,
            Some("--update") => audit.update = true,
            Some("--ratchet") => audit.ratchet = Some(value("--ratchet", &mut rest)?.into()),
            _ => audit.selection.take(argument, &mut rest)?,
        }
    }
    if audit.update && audit.ratchet.is_none() {
        return Err(wrong("--update needs --ratchet FILE"));
    }
    audit.selection.complete();
    Ok(Command::Audit(audit))
}

fn migrate(mut rest: impl Iterator<Item = OsString>) -> Result<Command, Error> {
    let mut migrate = Migrate::default();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--dry-run" | "-n") => migrate.dry_run = true,
            Some("--name") => migrate.name = true,
            Some("--crate") => {
                migrate.target = match value("--crate", &mut rest)?.to_str() {
                    Some("headcount") => Target::Headcount,
                    Some("headcount-core" | "headcount_core") => Target::Core,
                    _ => return Err(wrong("--crate takes headcount or headcount-core")),
                };
            }
            Some("--with") => match value("--with", &mut rest)?.to_str() {
                Some("spawn_in") => migrate.spawn_in = true,
                Some("spawn_blocking_on") => migrate.spawn_blocking_on = true,
                _ => return Err(wrong("--with takes spawn_in or spawn_blocking_on")),
            },
            _ => migrate.selection.take(argument, &mut rest)?,
        }
    }
    migrate.selection.complete();
    Ok(Command::Migrate(migrate))
}

impl Selection {
    /// An argument that both commands have.
    fn take(&mut self, argument: OsString, rest: &mut impl Iterator<Item = OsString>) -> Result<(), Error> {
        match argument.to_str() {
            Some("--no-tests") => self.no_tests = true,
            Some("--exclude") => self.exclude.push(value("--exclude", rest)?.into()),
            Some("--") => self.paths.extend(rest.map(PathBuf::from)),
            Some(option) if option.starts_with('-') => {
                return Err(wrong(format!("no option `{option}` of this command")));
            }
            _ => self.paths.push(argument.into()),
        }
        Ok(())
    }

    fn complete(&mut self) {
        if self.paths.is_empty() {
            self.paths.push(PathBuf::from("."));
        }
    }
}

fn value(option: &str, rest: &mut impl Iterator<Item = OsString>) -> Result<OsString, Error> {
    rest.next().ok_or_else(|| wrong(format!("{option} needs a value")))
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(format!("{} (see cargo headcount --help)", what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_stand_anywhere_and_cargos_name_is_dropped() {
        let expected = Migrate {
            selection: Selection { paths: vec!["a".into(), "-b".into()], ..Selection::default() },
            dry_run: true,
            target: Target::Core,
            ..Migrate::default()
        };
        assert_eq!(
            parsed("headcount migrate a --dry-run --crate headcount-core -- -b"),
            Ok(Command::Migrate(expected))
        );
        assert_eq!(parsed("audit --help"), Ok(Command::Help));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "a command is missing"),
            ("count", "no command `count`"),
            ("audit --dry-run", "no option `--dry-run`"),
            ("audit --update", "--update needs --ratchet"),
            ("audit --ratchet", "--ratchet needs a value"),
            ("migrate --crate tokio", "--crate takes"),
            ("migrate --with wings", "--with takes"),
        ];
        for (line, part) in cases {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
