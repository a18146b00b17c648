//! Groups beyond the limits. One process, since it uses them up.

use std::future::pending;

use crate::support::lines::Lines;

/// A name for each task: twenty from one place, then they are counted together. Then labels of too many
/// values fill the groups.
#[test]
fn later_groups_are_counted_together() {
    own_process!();
    let before = headcount::snapshot();
    assert_eq!(before.groups_overflowed, 0);
    for number in 0..10_000 {
        drop(headcount::task(format!("user-{number}")).track(pending::<()>()));
    }
    let after = headcount::snapshot();
    let named = after.groups.iter().filter(|group| group.name.starts_with("user-")).count();
    assert_eq!(named, 20);
    assert_eq!(after.groups_overflowed, 9_980);
    let other: Vec<_> = after.groups.iter().filter(|group| &*group.name == "__other__").collect();
    assert_eq!(other.len(), 1, "one for each kind");
    assert_eq!((&*other[0].location, other[0].labels.len()), ("", 0));

    for number in 0..1_000 {
        drop(headcount::task("labelled").label("user", number.to_string()).track(pending::<()>()));
    }
    let snapshot = headcount::snapshot();
    assert_eq!(snapshot.groups.len(), 201, "two hundred, and one for the rest");
    assert_eq!(snapshot.groups_overflowed, 9_980 + 820);
    let user = headcount::task("__other__").track(pending::<()>());
    assert_eq!(headcount::snapshot().groups_overflowed, 9_980 + 821, "no room for it either");
    drop(user);
    let spawned: u64 = snapshot.groups.iter().map(|group| group.spawned).sum();
    assert_eq!(snapshot.spawned, spawned);
    assert_eq!(headcount::snapshot().live, 0);
    a_failure_says_why_it_has_no_name();
}

/// The line of a task whose group is one too many says so, and where to look.
fn a_failure_says_why_it_has_no_name() {
    let (lines, _guard) = Lines::capture();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fails = headcount::task("one-more").spawn_on(async { panic!("no paper") }, runtime.handle());
    runtime.block_on(fails).unwrap_err();
    let [line] = &lines.take()[..] else { panic!("one line") };
    assert!(line.contains("__other__ #") && line.contains(": no paper (name and place not kept"), "{line}");
    assert!(line.contains("`max_groups`") && line.contains("headcount_groups_overflowed_total"), "{line}");
}
