//! Files are written whole or not at all: into a new file beside the old one, which then takes its name.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A file that lies beside the one it will replace. Dropped before that, it is removed.
pub(crate) struct Prepared {
    temporary: PathBuf,
    target: PathBuf,
}

impl Prepared {
    pub(crate) fn new(target: &Path, text: &str) -> Result<Self, Error> {
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let failed = |error: &std::io::Error| Error::io(&target, "cannot be written", error);
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let old = fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
            return Err(Error::file(&target.display().to_string(), "is read-only"));
        }
        let temporary = target.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let prepared = Self { temporary, target: target.clone() };
        let mut file = File::create_new(&prepared.temporary).map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        if let Some(old) = old {
            file.set_permissions(old.permissions()).map_err(|error| failed(&error))?;
        }
        file.sync_all().map_err(|error| failed(&error))?;
        Ok(prepared)
    }

    pub(crate) fn commit(self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.target)
            .map_err(|error| Error::io(&self.target, "cannot be replaced", &error))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // After a commit there is nothing of that name.
        let _ = fs::remove_file(&self.temporary);
    }
}

pub(crate) fn file(path: &Path, text: &str) -> Result<(), Error> {
    Prepared::new(path, text)?.commit()
}
