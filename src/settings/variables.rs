//! The variables of the environment, which win over what the code says.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use super::Settings;
use super::table::{Difference, Row, TABLE};
use super::value::{Limits, Secret, TaskLimit, Timeouts, TraceUrl, Value};
use crate::error::Error;
use crate::registry::off_switch;
use headcount_core::SetBy;
use headcount_core::internal::terms::rules::rules;

/// Longer files hold no token.
const LONGEST_TOKEN: u64 = 4_096;
/// The time between `drain_timeout` and `exit_after`, unless that is set.
const EXIT_MARGIN: Duration = Duration::from_secs(4);

/// What the variables made of the settings.
#[derive(Default)]
pub(crate) struct Variables {
    pub(crate) differences: Vec<Difference>,
    /// Variables that look like ours and are none.
    pub(crate) unknown: Vec<String>,
}

impl Settings {
    /// Lets variables win over what the code said, then fills in what follows from other settings.
    pub(crate) fn take_variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Variables, Error> {
        let mut taken = Variables::default();
        // A template that has no value for a variable leaves it empty.
        for (variable, text) in variables.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
            match self.take(&variable, text.trim()) {
                Some(difference) => taken.differences.extend(difference?),
                None => taken.unknown.push(variable),
            }
        }
        taken.unknown.sort_unstable();
        self.fill_in();
        Ok(taken)
    }

    /// Lets the variables about timeouts and limits win: all that counts where everything else is off.
    pub(crate) fn take_terms(&mut self) -> Result<(), Error> {
        for (variable, text) in self.environment() {
            if matches!(&*variable, "HEADCOUNT_TIMEOUT" | "HEADCOUNT_LIMIT") && !text.trim().is_empty() {
                self.take(&variable, text.trim()).transpose()?;
            }
        }
        Ok(())
    }

    /// Lets variables win as far as they are sound: all that counts where everything else is off.
    pub(crate) fn take_sound_variables(&mut self) {
        for (variable, text) in self.environment() {
            if !text.trim().is_empty() {
                let _ = self.take(&variable, text.trim());
            }
        }
        self.fill_in();
    }

    /// Whether timeouts and limits by name are such as can be.
    pub(crate) fn check_terms(&self) -> Result<(), Error> {
        if let Some(text) = self.timeout.impossible() {
            return Err(Error::setting("timeout", &text, &Timeouts::expected()));
        }
        if let Some(text) = self.limit.impossible() {
            return Err(Error::setting("limit", &text, &Limits::expected()));
        }
        Ok(())
    }

    /// Gives tasks the timeouts and limits by their names.
    pub(crate) fn apply_terms(&self) {
        let rules = rules();
        rules.set_timeouts(self.timeout.0.clone(), self.set_by("HEADCOUNT_TIMEOUT"));
        let limits = self.limit.0.iter().map(|(name, limit)| (name.clone(), limit.map(TaskLimit::rule)));
        rules.set_limits(limits.collect(), self.set_by("HEADCOUNT_LIMIT"));
    }

    fn set_by(&self, variable: &'static str) -> SetBy {
        if self.by_variable.contains(variable) { SetBy::Variable } else { SetBy::Builder }
    }

    /// The variables that may win, unless the code ignores them.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        if self.ignore_env { Vec::new() } else { variables().collect() }
    }

    /// Settings that were set although this build leaves out what they steer.
    pub(crate) fn without_effect(&self) -> impl Iterator<Item = &'static Row> {
        TABLE.iter().filter(|row| !row.compiled && self.chosen.contains(row.name))
    }

    /// Whether what the code chose is what a variable might say.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.check_terms()?;
        match &self.trace_url {
            Some(url) if !url.is_sound() => Err(Error::setting("trace_url", &url.0, &TraceUrl::expected())),
            _ => Ok(()),
        }
    }

    /// The token, from its file if that is set. A variable with the token wins over a file of the code.
    pub(crate) fn read_token(&mut self) -> Result<(), Error> {
        let by_variable = |name| self.by_variable.contains(name);
        let wins = by_variable("HEADCOUNT_TOKEN") && !by_variable("HEADCOUNT_TOKEN_FILE");
        if let Some(path) = self.token_file.as_ref().filter(|_| !wins) {
            let text = read_bounded(path, LONGEST_TOKEN)
                .map_err(|problem| Error::unreadable("token_file", path.display(), problem))?;
            let token = Secret::parse(&text).ok_or_else(|| {
                Error::file("token_file", path.display(), "is empty: write the token into it")
            })?;
            self.token = Some(token);
        } else if let Some(Secret(text)) = &self.token {
            // No header can hold white space around it, and an empty token would let all clients in.
            let token =
                Secret::parse(text).ok_or_else(|| Error::setting("token", text, &Secret::expected()))?;
            self.token = Some(token);
        }
        Ok(())
    }

    pub(crate) fn service_name(&self) -> String {
        let executable = || {
            let path = std::env::current_exe().ok()?;
            Some(path.file_stem()?.to_string_lossy().into_owned())
        };
        self.service.clone().or_else(executable).unwrap_or_else(|| "unnamed".to_owned())
    }

    fn fill_in(&mut self) {
        if !self.chosen.contains("exit_after") {
            self.exit_after = self.drain_timeout.and_then(|timeout| timeout.checked_add(EXIT_MARGIN));
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("chosen", &self.chosen).finish_non_exhaustive()
    }
}

/// Reads a text of at most so many bytes.
fn read_bounded(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if most < read as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {most} bytes")));
    }
    Ok(text)
}

/// The variables of the process that may be settings; what is not Unicode in them becomes a replacement
/// character.
fn variables() -> impl Iterator<Item = (String, String)> {
    let ours = |name: &OsString| name.as_encoded_bytes().starts_with(b"HEADCOUNT_");
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os()
        .filter(move |(name, _)| ours(name))
        .map(move |(name, value)| (text(name), text(value)))
}

/// Whether the variable `HEADCOUNT` is `off`.
pub(crate) fn is_off() -> Result<bool, Error> {
    off_switch().map_err(|text| Error::setting("HEADCOUNT", &text, "`off` or `on`"))
}
