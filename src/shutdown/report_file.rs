//! Writing the report to what its path names: a file, a device, a mount.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Of the names of files in a directory of reports; others there are left alone.
const PREFIX: &str = "report-";
const SUFFIX: &str = ".json";

/// Writes the report. A regular file has it whole or not at all where its directory allows that.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match kind_of(path) {
        Kind::Directory => Err(io::Error::other("it is a directory")),
        Kind::Other => write_in_place(path, bytes),
        Kind::File(target) => replace(&target, bytes).or_else(|_| write_in_place(path, bytes)),
    }
}

/// Whether the report will be written, as far as can be said before; an error says why not. Nothing is
/// changed.
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

/// Writes the report to a file of its own in the directory, and removes the oldest beyond a number. The name
/// begins with the time at which the shutdown began, so that names sort as times.
pub(crate) fn keep(directory: &Path, started_at: SystemTime, at_most: usize, bytes: &[u8]) -> io::Result<()> {
    make(directory)?;
    let time = humantime::format_rfc3339_millis(started_at).to_string().replace(':', "-");
    let name = format!("{PREFIX}{time}-{}{SUFFIX}", std::process::id());
    replace(&directory.join(name), bytes)?;
    let mut names: Vec<_> =
        fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.retain(|name| name.to_str().is_some_and(is_ours));
    names.sort_unstable();
    let too_many = names.len().saturating_sub(at_most.max(1));
    names.iter().take(too_many).try_for_each(|name| fs::remove_file(directory.join(name)))
}

/// Whether a file has such a name: `report-2026-11-26T15-21-31.172Z-4711.json`.
fn is_ours(name: &str) -> bool {
    let inner = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    let Some((time, pid)) = inner.and_then(|inner| inner.rsplit_once('-')) else { return false };
    let is_time = |(at, digit): (usize, char)| match at {
        4 | 7 | 13 | 16 => digit == '-',
        10 => digit == 'T',
        19 => digit == '.',
        23 => digit == 'Z',
        _ => digit.is_ascii_digit(),
    };
    time.len() == 24 && time.char_indices().all(is_time) && pid.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether reports will be kept there; an error says why not.
pub(crate) fn check_directory(directory: &Path) -> io::Result<()> {
    make(directory)?;
    check(&directory.join(format!("{PREFIX}{}{SUFFIX}", std::process::id())))
}

/// Makes the directory, for this user alone.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
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

/// A new file that no other user may read.
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
#[allow(clippy::unwrap_used, reason = "a test may")]
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
    fn a_directory_keeps_the_newest_reports_and_all_else() {
        let directory = directory("keep").join("made/for/it");
        check_directory(&directory).unwrap();
        let mine = ["notes.txt", "report-.json", "report-1969-q3.json"];
        mine.iter().for_each(|name| fs::write(directory.join(name), "mine").unwrap());
        for second in 0..5 {
            let started_at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            keep(&directory, started_at, 2, second.to_string().as_bytes()).unwrap();
        }
        let kept = names(&directory);
        let (ours, others): (Vec<_>, Vec<_>) = kept.iter().partition(|name| is_ours(name));
        assert_eq!(others, mine);
        assert!(ours[0].starts_with("report-1970-01-01T00-00-03.000Z-"), "{kept:?}");
        assert_eq!((ours.len(), fs::read(directory.join(ours[1])).unwrap()), (2, b"4".to_vec()));
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&directory).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
        fs::remove_dir_all(directory.ancestors().nth(3).unwrap()).unwrap();
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
