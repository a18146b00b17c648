//! Writing the report to what its path names: a file, a device, a mount.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes the report. A regular file has it whole or not at all where its directory allows that.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match kind_of(path) {
        Kind::Directory => Err(io::Error::other("it is a directory")),
        Kind::Other => write_in_place(path, bytes),
        Kind::File(target) => replace(&target, bytes).or_else(|_| write_in_place(path, bytes)),
    }
}

/// Whether the report will be written, as far as can be said before; an error says why not. Nothing is changed.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    match kind_of(path) {
        Kind::Directory => Err(io::Error::other("it is a directory")),
        // To open a pipe would wait for its reader.
        Kind::Other => Ok(()),
        Kind::File(target) if target.exists() => OpenOptions::new().append(true).open(&target).map(drop),
        Kind::File(target) => {
            let draft = draft_of(&target);
            create(&draft)?;
            fs::remove_file(&draft)
        }
    }
}

enum Kind {
    /// A regular file behind all links, or one to be.
    File(PathBuf),
    Directory,
    /// A device, a pipe, or a link to nothing.
    Other,
}

fn kind_of(path: &Path) -> Kind {
    let Ok(target) = fs::canonicalize(path) else {
        // A link that leads nowhere is written through, a path without a file gets one.
        let is_link = fs::symlink_metadata(path).is_ok();
        return if is_link { Kind::Other } else { Kind::File(path.to_owned()) };
    };
    match fs::metadata(&target) {
        Ok(metadata) if metadata.is_dir() => Kind::Directory,
        Ok(metadata) if metadata.is_file() && !has_other_names(&metadata) => Kind::File(target),
        _ => Kind::Other,
    }
}

/// A file with several names would lose the others.
#[cfg(unix)]
fn has_other_names(metadata: &fs::Metadata) -> bool {
    1 < std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn has_other_names(_: &fs::Metadata) -> bool {
    false
}

fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    draft.into()
}

/// Writes beside the file, then takes its place.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    let written = create(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// A new file that nobody else may read.
fn create(path: &Path) -> io::Result<File> {
    // Left over from a process that was killed while it wrote; its mode may be another.
    let _ = fs::remove_file(path);
    private(OpenOptions::new().write(true).create_new(true)).open(path)
}

fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(path)?;
    file.write_all(bytes)?;
    // A device or a pipe may have nothing to sync.
    let _ = file.sync_all();
    Ok(())
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{FileTypeExt, symlink};

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("headcount-report-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn links_stay_links_and_other_names_stay_names() {
        let directory = directory("links");
        let at = |name: &str| directory.join(name);
        fs::write(at("real"), "old").unwrap();
        symlink("real", at("link")).unwrap();
        symlink("missing", at("dangling")).unwrap();
        fs::hard_link(at("real"), at("other")).unwrap();
        write(&at("link"), b"new").unwrap();
        write(&at("dangling"), b"made").unwrap();
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert_eq!(fs::read(at("other")).unwrap(), b"new");
        assert_eq!(fs::read(at("missing")).unwrap(), b"made");
        assert_eq!(names(&directory), ["dangling", "link", "missing", "other", "real"]);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_device_stays_a_device() {
        write(Path::new("/dev/null"), b"{}").unwrap();
        check(Path::new("/dev/null")).unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(!Path::new("/dev/null.new").exists());
    }

    #[test]
    fn what_cannot_be_written_is_told_before_and_leaves_nothing() {
        let directory = directory("check");
        assert!(check(&directory).is_err() && write(&directory, b"{}").is_err());
        check(&directory.join("report.json")).unwrap();
        assert!(check(&directory.join("none/report.json")).is_err());
        assert!(check(Path::new("/proc/report.json")).is_err());
        assert_eq!(names(&directory), [""; 0]);
        fs::remove_dir_all(directory).unwrap();
    }
}
