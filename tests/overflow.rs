//! Groups beyond the limits. One process, since it uses them up.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::future::pending;

/// A name for each task: twenty from one place, then they are counted together. Then labels of too many values fill the groups.
#[test]
fn later_groups_are_counted_together() {
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
}
