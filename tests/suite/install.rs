//! What `install` refuses, and what it tells. Each case has a process of its own, since variables and the one
//! installation belong to a process: this test runs itself with the name of a case.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Output;
use std::time::Duration;

use headcount::{Builder, Error, Headcount};
#[cfg(unix)]
use nix::sys::signal::Signal;

use crate::support::alone;
use crate::support::wait::{until, until_yielding};

/// The variable that says which case a child plays.
const CASE: &str = "INSTALL_CASE";

/// The number of the signal for which the system gives no handler.
#[cfg(unix)]
const REFUSED_SIGNAL: &str = "INSTALL_REFUSED_SIGNAL";

#[test]
fn child() {
    let Ok(case) = std::env::var(CASE) else { return };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    play(&case);
}

fn builder() -> Builder {
    Headcount::builder().admin(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

fn play(case: &str) {
    match case {
        "plain" => report(builder().install()),
        "default address" | "from a variable" => report(Headcount::install()),
        "twice" => {
            let _first = builder().install().unwrap();
            let error = builder().install().unwrap_err();
            assert!(error.is_already_installed());
            eprintln!("refused: {error}");
        }
        "public" => {
            let error = builder().admin(SocketAddr::from(([0, 0, 0, 0], 0))).install().unwrap_err();
            assert!(error.is_unprotected());
            eprintln!("refused: {error}");
            report(builder().admin(SocketAddr::from(([0, 0, 0, 0], 0))).token("x").install());
        }
        "token file" => {
            let error = builder().token_file("/nowhere/token").install().unwrap_err();
            assert!(error.is_file());
            eprintln!("refused: {error}");
        }
        "lost" => {
            let hc = builder().install().unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let _guard = runtime.enter();
            headcount::task("left-behind").spawn(std::future::pending::<()>());
            drop(hc);
        }
        "endless" => {
            let longest = Duration::MAX;
            let endless = builder().drain_timeout(longest).announce_delay(longest).abort_grace(longest);
            let endless = endless.hook_timeout(longest).platform_grace(longest).log_interval(longest);
            let endless = endless.slow_poll(longest).blocked_after(longest).unresponsive_after(longest);
            report(endless.exit_after(longest).buckets([longest, Duration::ZERO]).install());
            assert!(headcount::snapshot().groups.is_empty());
        }
        "few resources" => {
            match builder().on_abandon(|_| {}).install() {
                Ok(_) => eprintln!("outside: installed"),
                Err(error) => eprintln!("outside: resources {} {error}", error.is_resources()),
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return eprintln!("no runtime") };
            runtime.block_on(async {
                match builder().on_abandon(|_| {}).install() {
                    Ok(_) => eprintln!("inside: installed"),
                    Err(error) => eprintln!("inside: resources {} {error}", error.is_resources()),
                }
            });
        }
        #[cfg(unix)]
        "refused signals" => {
            let error = builder().install().unwrap_err();
            assert!(error.is_resources());
            eprintln!("refused: {error}");
            let refused = std::env::var(REFUSED_SIGNAL).unwrap();
            // One of those that were not refused does what it did before.
            let other = if refused == "2" { Signal::SIGTERM } else { Signal::SIGINT };
            nix::sys::signal::raise(other).unwrap();
        }
        other => panic!("no case {other}"),
    }
}

fn report(installed: Result<Headcount, Error>) {
    match installed {
        Ok(hc) => eprintln!("installed: {:?}", hc.admin_addr()),
        Err(error) => {
            assert!(error.is_setting() || error.is_address());
            eprintln!("refused: {error}");
        }
    }
}

/// What a child with these variables says.
fn run(case: &str, variables: &[(&str, &str)]) -> String {
    let mut child = alone::command("install::child");
    child.env(CASE, case).envs(variables.iter().copied());
    let Output { status, stderr, .. } = child.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{case}: {said}");
    said
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in: {said}");
    }
}

#[test]
fn a_malformed_variable_is_refused_with_what_would_be_right() {
    own_process!();
    let said = run("plain", &[("HEADCOUNT_DRAIN_TIMEOUT", "soon")]);
    assert_says(
        &said,
        &["refused: HEADCOUNT_DRAIN_TIMEOUT=soon: expected a duration such as `25s`", "`none`"],
    );
    let said = run("plain", &[("HEADCOUNT_ADMIN", "7717")]);
    assert_says(&said, &["refused: HEADCOUNT_ADMIN=7717: expected an address and port"]);
}

#[test]
fn unknown_variables_and_differences_are_logged() {
    own_process!();
    let variables = [
        ("HEADCOUNT_PORT_7717_TCP", "tcp://10.0.0.1"),
        ("HEADCOUNT_HISTORY", "5"),
        ("HEADCOUNT_TOKEN", "secret"),
    ];
    let said = run("plain", &variables);
    assert_says(
        &said,
        &[
            "installed",
            "WARN",
            "Ignored unknown setting HEADCOUNT_PORT_7717_TCP",
            "HEADCOUNT_HISTORY=5 replaces 1000",
        ],
    );
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_variable_chooses_the_address() {
    own_process!();
    let said = run("from a variable", &[("HEADCOUNT_ADMIN", "none")]);
    assert_says(&said, &["installed: None"]);
}

#[test]
fn where_the_default_address_is_taken_another_serves() {
    own_process!();
    let _held = hold_default();
    let said = run("default address", &[]);
    assert_says(&said, &["WARN", "127.0.0.1:7717 is taken", "installed: Some(127.0.0.1:"]);
}

/// Another test may hold it for a moment, and take it again.
fn hold_default() -> TcpListener {
    until(|| TcpListener::bind("127.0.0.1:7717"))
}

/// As soon as the default address is free the server is there as well.
#[tokio::test]
async fn a_server_moves_to_the_default_address_when_it_is_free() {
    own_process!();
    use crate::support::http::try_send;

    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 7717));
    let held = hold_default();
    let hc = Headcount::install().unwrap();
    let fallback = hc.admin_addr().unwrap();
    assert_ne!(fallback, default);
    drop(held);
    let pid = std::process::id();
    let is_here = |address| {
        let answer = try_send(address, "GET", "/api/v1/summary", &[], "");
        answer.is_ok_and(|answer| answer.status == 200 && answer.json()["pid"] == pid)
    };
    until_yielding(|| if is_here(default) { Ok(()) } else { Err("it did not move") }).await;
    assert!(is_here(fallback), "the first address serves still");
}

#[test]
fn where_a_chosen_address_is_taken_that_is_an_error() {
    own_process!();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let said = run("from a variable", &[("HEADCOUNT_ADMIN", &address)]);
    assert_says(&said, &[&format!("refused: admin={address} cannot be bound"), "port 0"]);
}

#[test]
fn installing_twice_is_an_error() {
    own_process!();
    assert_says(&run("twice", &[]), &["refused: headcount is installed in this process already"]);
}

#[test]
fn an_address_outside_loopback_needs_a_token() {
    own_process!();
    let said = run("public", &[]);
    assert_says(
        &said,
        &["refused: admin=0.0.0.0:0 can be reached from outside: set `token`", "installed: Some(0.0.0.0:"],
    );
}

#[test]
fn a_token_file_that_is_missing_is_named() {
    own_process!();
    assert_says(&run("token file", &[]), &["refused: token_file=/nowhere/token cannot be read"]);
}

#[test]
fn dropping_it_with_live_tasks_names_them() {
    own_process!();
    assert_says(&run("lost", &[]), &["WARN", "left-behind #1", "tests/suite/install.rs:"]);
}

#[test]
fn a_program_may_ignore_the_environment() {
    own_process!("HEADCOUNT_DRAIN_TIMEOUT" = "nonsense");
    assert!(Headcount::builder().admin(None).install().is_err());
    drop(Headcount::builder().ignore_env().admin(None).install().unwrap());
}

#[test]
fn a_token_can_be_taken_back() {
    own_process!();
    let everywhere: std::net::SocketAddr = "0.0.0.0:0".parse().unwrap();
    let builder = Headcount::builder().ignore_env().admin(everywhere).token("secret");
    assert!(builder.clone().no_token().install().unwrap_err().is_unprotected());
    drop(builder.install().unwrap());
}

#[test]
fn the_longest_durations_are_taken() {
    own_process!();
    assert_says(&run("endless", &[]), &["installed: Some("]);
}

#[test]
fn an_empty_variable_of_a_template_is_as_none() {
    own_process!();
    let empty = ["ADMIN", "ALLOW_ACTIONS", "DRAIN_TIMEOUT", "TOKEN", "BUCKETS", "POLICY", "LOG", "HEALTH"];
    let empty = empty.map(|name| format!("HEADCOUNT_{name}"));
    let empty: Vec<_> = empty.iter().map(|name| (&**name, "")).chain([("HEADCOUNT", "")]).collect();
    let said = run("plain", &empty);
    assert_says(&said, &["installed: Some("]);
    assert!(!said.contains("replaces") && !said.contains("Ignored"), "{said}");
}

#[test]
fn a_recorder_of_headcounts_is_named_with_its_setting() {
    own_process!();
    assert_says(&run("plain", &[]), &["HEADCOUNT_RECORDER=Private"]);
}

/// Each thread is refused once, outside and inside a runtime.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_cannot_be_started_is_an_error() {
    own_process!();
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;

    // The limit does not hold for root, and counts all threads of the user: one that has no other.
    const NOBODY: u32 = 4_294_900;
    let mut refused = std::collections::BTreeSet::new();
    for threads in 2..40 {
        let child = alone::command("install::child");
        let mut limited = std::process::Command::new("prlimit");
        limited.arg(format!("--nproc={threads}")).arg(child.get_program()).args(child.get_args());
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            limited.uid(NOBODY);
        }
        let output = limited.env(CASE, "few resources").current_dir("/").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("Cannot drop a runtime"), "{said}");
        let said: Vec<_> = said.lines().filter(|line| line.contains("side: ")).collect();
        for line in &said {
            if let Some((_, thread)) = line.split_once("resources true the thread ") {
                assert!(line.contains("HEADCOUNT=off"), "{line}");
                refused.insert(thread.split(' ').next().unwrap().to_owned());
            } else {
                assert!(line.contains("installed") || line.contains("resources true"), "{line}");
            }
        }
        if said.iter().any(|line| line.contains("outside: installed")) {
            println!("{refused:?}");
            let threads =
                ["headcount-log", "headcount", "headcount-metrics", "headcount-read", "headcount-admin"];
            assert!(threads.iter().all(|thread| refused.contains(*thread)), "{refused:?}");
            return;
        }
    }
    panic!("no number of threads is enough, or this user has too many: {refused:?}");
}

/// Sockets, the pipes of signals and the runtimes of threads are refused once each, and each is an error with
/// its cause and what helps, never a panic of the caller.
#[cfg(target_os = "linux")]
#[test]
fn a_descriptor_that_is_not_to_be_had_is_an_error() {
    own_process!();
    let mut refused = std::collections::BTreeSet::new();
    // With fewer the program itself does not start.
    for descriptors in 4..100 {
        let child = alone::command("install::child");
        let mut limited = std::process::Command::new("prlimit");
        limited.arg(format!("--nofile={descriptors}")).arg(child.get_program()).args(child.get_args());
        let output = limited.env(CASE, "few resources").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<_> = said.lines().filter(|line| line.contains("side: ")).collect();
        for line in &lines {
            if let Some((_, what)) = line.split_once("resources true ") {
                assert!(what.contains("HEADCOUNT=off"), "{said}");
                let what = what.split(['=', '(']).next().unwrap().replace("could not be started", "");
                refused.insert(what.trim().to_owned());
            } else {
                assert!(line.contains("installed"), "{said}");
            }
        }
        if lines.iter().any(|line| line.contains("outside: installed")) {
            let steps = ["admin", "the runtime of headcount", "what the shutdown needs"];
            assert!(steps.iter().all(|step| refused.contains(*step)), "{refused:?}");
            return;
        }
    }
    panic!("no number of descriptors is enough: {refused:?}");
}

/// Refuses a handler for the signal with this number, then becomes the program that its arguments name.
#[cfg(target_os = "linux")]
const REFUSES: &str = r#"
import ctypes, os, platform, struct, sys
sigaction = {"x86_64": 13, "aarch64": 134}[platform.machine()]
load, equal, give = 0x20, 0x15, 0x06
steps = [
    (load, 0, 0, 0), (equal, 0, 3, sigaction),
    (load, 0, 0, 16), (equal, 0, 1, int(os.environ["INSTALL_REFUSED_SIGNAL"])),
    (give, 0, 0, 0x00050001), (give, 0, 0, 0x7FFF0000),
]
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
refuses = Filter(len(steps), ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
no_new_privileges, seccomp, with_a_filter = 38, 22, 2
assert prctl(no_new_privileges, 1, 0, 0, 0) == 0, ctypes.get_errno()
assert prctl(seccomp, with_a_filter, ctypes.byref(refuses), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// Each handler is refused once. The error names the cause, and the other signals are as they were.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_cannot_be_handled_is_an_error() {
    own_process!();
    use std::os::unix::process::ExitStatusExt as _;

    let mut cases = vec![(2, ("SIGHUP", "default")), (15, ("SIGHUP", "default"))];
    cases.extend([(1, ("SIGHUP", "ignore")), (1, ("SIGHUP", "drain"))]);
    if cfg!(feature = "stacks") {
        cases.push((3, ("SIGQUIT", "stacks")));
    }
    for (refused, (setting, value)) in cases {
        let child = alone::command("install::child");
        let mut filtered = std::process::Command::new("python3");
        filtered.args(["-c", REFUSES]).arg(child.get_program()).args(child.get_args());
        filtered.env(CASE, "refused signals").env(REFUSED_SIGNAL, refused.to_string());
        let output = filtered.env(format!("HEADCOUNT_{setting}"), value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let refusal =
            "refused: what the shutdown needs could not be started (Operation not permitted (os error 1))";
        assert_says(&said, &[refusal, "HEADCOUNT=off"]);
        let ended_by = if refused == 2 { Signal::SIGTERM } else { Signal::SIGINT };
        assert_eq!(output.status.signal(), Some(ended_by as i32), "{refused} {setting}={value}: {said}");
    }
}
