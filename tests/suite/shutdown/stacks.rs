//! Where tasks wait, in the log of a real process: on SIGQUIT, and while it stops.

use nix::sys::signal::Signal;

use crate::support::process::start;

#[test]
fn sigquit_writes_all_stacks_and_the_process_goes_on() {
    own_process!();
    let settings = [("SIGQUIT", "stacks")];
    let mut process = start(&settings, &["forever hangs", "forever hangs", "wait works 60000"]);
    process.signal(Signal::SIGQUIT);
    process.wait_for("Stacks of 3 tasks:");
    let line = process.wait_for("  hangs ×2 (");
    assert!(line.contains(") waits"), "{line}");
    process.signal(Signal::SIGQUIT);
    process.signal(Signal::SIGTERM);
    process.wait_for("Shutting down (SIGTERM)");
    process.signal(Signal::SIGINT);
    assert_eq!(process.end().code, Some(130));
}
