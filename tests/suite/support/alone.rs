//! Gives a test a process of its own.
//!
//! [`own_process!`] is the first statement of a test. It starts this binary again for that one test, waits
//! for it, and fails with its output. So each test may install headcount, send signals, set variables and
//! count all tasks, while others run beside it.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Names the test whose process this is.
const ALONE: &str = "SUITE_ALONE";

/// How often each test runs; all runs must pass.
const REPEAT: &str = "HEADCOUNT_TEST_REPEAT";

/// A test that takes longer hangs. The slowest takes 20 s on a quiet machine.
const LIMIT: Duration = Duration::from_secs(1_200);

/// Runs the rest of the test in a process of its own, with these variables set: `own_process!("HEADCOUNT" =
/// "off")`.
macro_rules! own_process {
    ($($variable:literal = $value:expr),*) => {
        fn here() {}
        if $crate::support::alone::ran_elsewhere(here, &[$(($variable, $value)),*]) {
            return;
        }
    };
}

/// Whether the test ran in another process, and passed there. False in that process.
#[track_caller]
pub(crate) fn ran_elsewhere<F>(_: F, variables: &[(&str, &str)]) -> bool {
    let name = test_around(std::any::type_name::<F>());
    if std::env::var_os(ALONE).as_deref() == Some(OsStr::new(&name)) {
        end_with_parent();
        return false;
    }
    let times = std::env::var(REPEAT).map_or(1, |times| times.parse().expect(REPEAT));
    for run in 1..=times {
        match run_alone(&name, variables, LIMIT) {
            Ok(said) if times == 1 => print!("{said}"),
            Ok(_) => {}
            Err(problem) => panic!("{name} {problem} (run {run} of {times})"),
        }
    }
    true
}

/// The path of a test, as the test binary takes it, from that of a function inside it.
fn test_around(function: &str) -> String {
    let parts: Vec<&str> = function.split("::").filter(|part| *part != "{{closure}}").collect();
    parts[1..parts.len() - 1].join("::")
}

/// The command that runs one test of this binary, and nothing else.
pub(crate) fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--quiet", "--test-threads=1"]).env_remove(REPEAT);
    command
}

/// What a test that passed wrote in its process, or what is wrong with it.
pub(crate) fn run_alone(name: &str, variables: &[(&str, &str)], limit: Duration) -> Result<String, String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.log", std::process::id()));
    let output = File::create(&path).unwrap();
    let mut command = command(name);
    command.env(ALONE, name).envs(variables.iter().copied());
    command.stdout(output.try_clone().unwrap()).stderr(output).stdin(Stdio::piped());
    // A group of its own, so that whatever it started can be ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().unwrap();
    // Closed when this process ends, however it does.
    let _alive = child.stdin.take();
    let pid = child.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait()));
    let status = ended.recv_timeout(limit).map(Result::unwrap);
    end_group(pid);
    let said = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    std::fs::remove_file(path).unwrap();
    match status {
        // A process that exits in the middle of its test has passed nothing.
        Ok(status) if status.success() && said.contains("test result: ok. 1 passed") => Ok(said),
        Ok(status) => Err(format!("failed: {status}, after it wrote\n{said}")),
        Err(_) => Err(format!("hangs: it was ended after {limit:?}, after it wrote\n{said}")),
    }
}

/// Ends this process and whatever it started once the process that waits for it is gone.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        end_group(std::process::id());
    });
}

#[cfg(unix)]
fn end_group(leader: u32) {
    use nix::sys::signal::{Signal, killpg};

    // None of it may be left, which is no error.
    let _ = killpg(nix::unistd::Pid::from_raw(leader.try_into().unwrap()), Signal::SIGKILL);
}

#[cfg(not(unix))]
fn end_group(_: u32) {}

/// What a process of the tests below does; set in no other.
const PART: &str = "SUITE_PART";

#[test]
fn child() {
    match std::env::var(PART).as_deref() {
        Ok("fails") => panic!("on purpose"),
        Ok("exits") => std::process::exit(0),
        Ok("hangs") => {
            let mut started = Command::new("sleep").arg("1000").spawn().unwrap();
            println!("started {}", started.id());
            started.wait().unwrap();
        }
        _ => {}
    }
}

fn run_child(part: &str, limit: Duration) -> Result<String, String> {
    run_alone("support::alone::child", &[(PART, part)], limit)
}

#[test]
fn a_test_that_fails_shows_what_it_wrote() {
    own_process!();
    let problem = run_child("fails", LIMIT).unwrap_err();
    assert!(problem.starts_with("failed") && problem.contains("on purpose"), "{problem}");
    run_child("passes", LIMIT).unwrap();
}

#[test]
fn a_test_that_did_not_run_to_its_end_fails() {
    own_process!();
    run_child("exits", LIMIT).unwrap_err();
    run_alone("no::such::test", &[], LIMIT).unwrap_err();
}

#[cfg(target_os = "linux")]
#[test]
fn a_test_that_hangs_is_ended_with_all_that_it_started() {
    own_process!();
    let problem = run_child("hangs", Duration::from_secs(20)).unwrap_err();
    assert!(problem.starts_with("hangs"), "{problem}");
    let started = problem.lines().find_map(|line| line.strip_prefix("started ")).expect(&problem);
    // Gone, or ended and not yet seen to by the system.
    let state = || std::fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
    while !state().is_empty() && !state().contains(") Z ") {
        std::thread::yield_now();
    }
}

/// Without its first statement a test would share a process, which shows only now and then.
#[test]
fn every_test_has_a_process_of_its_own() {
    own_process!();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let mut tests = 0;
    for file in sources(&suite) {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines = text.lines().map(str::trim_start);
        while lines.by_ref().any(|line| line == "#[test]" || line.starts_with("#[tokio::test")) {
            let signature = lines.find(|line| line.contains("fn ")).unwrap();
            let first = lines.next().unwrap();
            // What another test starts as the process under test.
            let is_played = signature.trim_start_matches("async ").starts_with("fn child");
            assert!(is_played || first.starts_with("own_process!("), "{}: {signature}", file.display());
            tests += 1;
        }
    }
    assert!(100 < tests, "{tests} tests");
}

fn sources(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else {
            files.push(path);
        }
    }
    files
}
