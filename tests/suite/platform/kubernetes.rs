//! What Kubernetes shows of the end of a container.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal::SIGTERM;

use super::{Scratch, count};
use crate::support::process::{End, Process, command, start, through, unshare};

/// Two of three tasks are cut by the deadline; one of them says much about itself.
const LEFT: [&str; 4] = ["status send-email", "forever index", "forever index", "wait quick 50"];
const DEADLINE: (&str, &str) = ("DRAIN_TIMEOUT", "3s");

#[track_caller]
fn assert_names_what_was_left(text: &str) {
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("Stopped at the deadline, in "), "{text}");
    assert!(lines[0].ends_with(" (1 completed, 3 abandoned), exit code 124"), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("abandoned: index ×2, oldest ")), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("abandoned: send-email, age ")), "{text}");
    assert!(!text.contains("batch") && !text.contains("30%") && !text.contains(".rs"), "{text}");
    assert_eq!(lines.len(), 3, "{text}");
}

#[test]
fn what_was_left_is_in_the_file_that_the_setting_names() {
    own_process!();
    let scratch = Scratch::new();
    let path = scratch.path("termination-log");
    let mut process = start(&[DEADLINE, ("TERMINATION_LOG", path.to_str().unwrap())], &LEFT);
    assert!(!path.exists(), "before the end nothing is written");
    process.signal(SIGTERM);
    process.end().exited_with(124).never_logged("termination_log");
    assert_names_what_was_left(&fs::read_to_string(&path).unwrap());
}

#[test]
fn a_file_that_is_there_is_written_in_place() {
    own_process!();
    use std::os::unix::fs::MetadataExt as _;

    let scratch = Scratch::new();
    let path = scratch.path("termination-log");
    fs::write(&path, "of the container before\n".repeat(500)).unwrap();
    let before = fs::metadata(&path).unwrap();
    let mut process = start(&[("TERMINATION_LOG", path.to_str().unwrap())], &["wait quick 50"]);
    process.signal(SIGTERM);
    process.end().exited_with(0);
    let after = fs::metadata(&path).unwrap();
    assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("Drained in ") && text.ends_with(" (1 completed), exit code 0\n"), "{text}");
}

/// Runs the process as a container does: with a `/dev` of its own, and the log mounted into it by itself.
/// With the mount `none` there is no log, as on a machine that is no container.
fn in_a_container(scratch: &Scratch, mount: &str, settings: &[(&str, &str)]) -> End {
    fs::write(scratch.path("log"), "").unwrap();
    fs::create_dir(scratch.path("dev")).unwrap();
    let script = r#"
        set -e
        mount --bind "$0/dev" "$0/dev"
        for name in null zero urandom; do touch "$0/dev/$name"; mount --bind "/dev/$name" "$0/dev/$name"; done
        if [ "$1" != none ]; then
            touch "$0/dev/termination-log"
            mount --bind "$0/log" "$0/dev/termination-log"
            [ "$1" = rw ] || mount -o remount,ro,bind "$0/dev/termination-log"
        fi
        mount --move "$0/dev" /dev
        shift
        exec "$@"
    "#;
    let mut child = command(&LEFT);
    child.env("HEADCOUNT_DRAIN_TIMEOUT", "3s").envs(settings.iter().copied());
    let shell = through("sh", &["-c", script, scratch.as_ref().to_str().unwrap(), mount], &child);
    let options = [unshare(), &["--mount"]].concat();
    let mut process = Process::spawn(through("unshare", &options, &shell));
    process.wait_for("ready");
    process.signal(SIGTERM);
    process.end()
}

#[test]
fn the_log_of_a_container_is_written_without_a_setting() {
    own_process!();
    let scratch = Scratch::new();
    in_a_container(&scratch, "rw", &[]).exited_with(124).never_logged("termination_log");
    assert_names_what_was_left(&fs::read_to_string(scratch.path("log")).unwrap());
}

#[test]
fn a_log_that_cannot_be_written_is_mentioned_once() {
    own_process!();
    let scratch = Scratch::new();
    let end = in_a_container(&scratch, "ro", &[]);
    end.exited_with(124).logged(&["Stopped at the deadline, in "]);
    let problem =
        "WARN headcount: `termination_log` /dev/termination-log cannot be written: Read-only file system";
    assert_eq!(
        (count(&end.lines, problem), count(&end.lines, "termination_log")),
        (1, 1),
        "{:#?}",
        end.lines
    );
    assert_eq!(fs::read_to_string(scratch.path("log")).unwrap(), "");
}

#[test]
fn a_log_that_is_none_is_mentioned_once() {
    own_process!();
    for path in ["/", "/nowhere/termination-log", "/proc/termination-log"] {
        let mut process = start(&[("TERMINATION_LOG", path)], &["wait quick 50"]);
        process.signal(SIGTERM);
        let end = process.end();
        end.exited_with(0);
        assert_eq!(count(&end.lines, "termination_log"), 1, "{:#?}", end.lines);
    }
}

/// One that nothing reads would hold up whatever opens it.
#[test]
fn a_pipe_that_nothing_reads_holds_up_nothing() {
    own_process!();
    let scratch = Scratch::new();
    let path = scratch.path("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let began = std::time::Instant::now();
    let mut process = start(&[("TERMINATION_LOG", path.to_str().unwrap())], &["wait quick 50"]);
    process.signal(SIGTERM);
    process.end().exited_with(0);
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn without_a_container_there_is_no_log() {
    own_process!();
    let scratch = Scratch::new();
    in_a_container(&scratch, "none", &[]).exited_with(124).never_logged("termination_log");
    assert!(scratch.path("dev/null").exists(), "this is the folder that was its /dev");
    assert!(!scratch.path("dev/termination-log").exists());
}

#[test]
fn a_container_whose_log_is_turned_off_has_none() {
    own_process!();
    let scratch = Scratch::new();
    let off = [("HEADCOUNT_TERMINATION_LOG", "none")];
    in_a_container(&scratch, "rw", &off).exited_with(124).never_logged("termination_log");
    assert_eq!(fs::read_to_string(scratch.path("log")).unwrap(), "");
}

#[test]
fn a_grace_that_does_not_fit_is_mentioned_at_the_start() {
    own_process!();
    for (grace, warning) in [
        ("30s", None),
        ("29s", Some("`platform_grace` (29s) leaves less than 500ms after `exit_after` (29s)")),
        ("20s", Some("`exit_after` (29s) is longer than `platform_grace` (20s)")),
    ] {
        let mut process = start(&[("PLATFORM_GRACE", grace)], &["wait quick 50"]);
        process.signal(SIGTERM);
        let end = process.end();
        end.exited_with(0);
        assert_eq!(count(&end.lines, "platform_grace"), usize::from(warning.is_some()), "{:#?}", end.lines);
        assert!(warning.is_none_or(|warning| count(&end.lines, warning) == 1), "{:#?}", end.lines);
    }
}

#[path = "../../../examples/manifest.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod example;

fn written(settings: headcount::Builder, variables: &[(&str, &str)]) -> Result<String, String> {
    let variables: Vec<_> =
        variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    example::manifest(&settings.ignore_env(), &variables).map_err(|problem| problem.to_string())
}

#[test]
fn the_manifest_is_what_the_settings_say() {
    own_process!();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kit/kubernetes/shop.yaml");
    let text = written(example::service(), &[]).unwrap();
    if std::env::var_os("WRITE_FILES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let fresh = fs::read_to_string(&path).is_ok_and(|kept| kept == text);
    assert!(fresh, "{} is stale: WRITE_FILES=1 cargo test --test suite -- the_manifest", path.display());
    assert!(text.contains("terminationGracePeriodSeconds: 35\n"), "30 s, 4 s more, and the exit: {text}");
}

#[test]
fn a_manifest_that_would_not_agree_is_refused() {
    own_process!();
    use std::time::Duration;

    let seconds = Duration::from_secs;
    let longer = written(example::service().drain_timeout(seconds(90)), &[]).unwrap();
    assert!(
        longer.contains("terminationGracePeriodSeconds: 95\n") && longer.contains("value: 95s\n"),
        "{longer}"
    );
    let chosen =
        written(example::service().platform_grace(seconds(60)), &[("HEADCOUNT_LINGER", "Auto")]).unwrap();
    assert!(chosen.contains("terminationGracePeriodSeconds: 60\n"), "{chosen}");
    assert!(chosen.contains("- name: HEADCOUNT_LINGER\n              value: \"Auto\"\n"), "{chosen}");
    let refused = |settings| written(settings, &[]).unwrap_err();
    assert_eq!(
        refused(example::service().platform_grace(seconds(30))),
        "platform_grace is 30 s, but exit_after needs 35 s"
    );
    assert!(refused(example::service().exit_after(None)).starts_with("exit_after is none"));
    assert!(refused(example::service().health(None)).starts_with("health is none"));
}

#[test]
fn settings_in_force_have_the_variables_in_them() {
    own_process!("HEADCOUNT_DRAIN_TIMEOUT" = "2m");
    let in_force = example::service().in_force().unwrap();
    assert_eq!(in_force.exit_after, Some(std::time::Duration::from_secs(124)));
    let ours = example::service().ignore_env().in_force().unwrap();
    assert_eq!(ours.drain_timeout, Some(std::time::Duration::from_secs(30)));
}
