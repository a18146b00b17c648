//! Programs that a service starts: what they have of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use headcount::Headcount;

use super::Scratch;

/// One that inherited a listening socket would keep its port for as long as it lives, and answer nothing.
#[test]
fn a_program_that_is_started_inherits_no_socket() {
    own_process!();
    let scratch = Scratch::new();
    let path = scratch.path("notify");
    let _manager = UnixDatagram::bind(&path).unwrap();
    // This test runs itself with the socket's name, since a process cannot safely set its own variables.
    let mut child = crate::support::alone::command("platform::children::child");
    let output = child.env("NOTIFY_SOCKET", &path).env(SERVICE, "yes").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("own sockets: "), "{said}");
    let inherited = said.lines().find_map(|line| line.strip_prefix("inherited: "));
    assert_eq!(inherited, Some("[]"), "{said}");
}

/// Set in the process under test alone.
const SERVICE: &str = "SUITE_SERVICE";

#[test]
fn child() {
    if std::env::var_os(SERVICE).is_none() {
        return;
    }
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let hc = Headcount::builder().admin(anywhere).health(anywhere).install().unwrap();
    let address = hc.admin_addr().unwrap();
    let mut program = Command::new("sleep").arg("1000").spawn().unwrap();
    let (ours, theirs) = (sockets("self"), sockets(&program.id().to_string()));
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(2 < ours.len(), "{ours:?}");
    println!("\nown sockets: {ours:?}\ninherited: {theirs:?}");
    drop((hc, address));
}

fn sockets(process: &str) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let names = links.map(|link| link.display().to_string());
    names.filter(|name| name.starts_with("socket:")).collect()
}
