//! Groups beyond the limits. One process, since it uses them up.

use std::future::pending;

use crate::support::lines::Lines;

/// A name for each task, then a label with too many values: each place has as many groups as it leaves free
/// for all others. Then many places fill the rest.
#[test]
fn later_groups_are_counted_together() {
    own_process!();
    let before = headcount::snapshot();
    assert_eq!(before.groups_overflowed, 0);
    let (lines, guard) = Lines::capture();
    for number in 0..10_000 {
        drop(headcount::task(format!("user-{number}")).track(pending::<()>()));
    }
    let after = headcount::snapshot();
    let named = after.groups.iter().filter(|group| group.name.starts_with("user-")).count();
    assert_eq!(named, 100, "half of max_groups");
    assert_eq!(after.groups_overflowed, 9_900);
    let other: Vec<_> = after.groups.iter().filter(|group| &*group.name == "__other__").collect();
    assert_eq!(other.len(), 1, "one for each kind");
    assert_eq!((&*other[0].location, other[0].labels.len()), ("", 0));
    let [line] = &lines.take()[..] else { panic!("it is said once") };
    assert!(line.contains("user-100 (tests/suite/overflow.rs:"), "{line}");
    assert!(line.contains("100 groups of at most 200 in all (HEADCOUNT_MAX_GROUPS)"), "{line}");
    drop(guard);

    for number in 0..1_000 {
        drop(headcount::task("labelled").label("user", number.to_string()).track(pending::<()>()));
    }
    let labelled = headcount::snapshot();
    assert_eq!(
        labelled.groups.iter().filter(|group| &*group.name == "labelled").count(),
        50,
        "half of the rest"
    );
    assert_eq!(labelled.groups_overflowed, 9_900 + 950);

    // Others are not pressed out: each place may have twenty.
    for number in 0..20 {
        drop(headcount::task(format!("one-{number}")).track(pending::<()>()));
    }
    for number in 0..20 {
        drop(headcount::task(format!("two-{number}")).track(pending::<()>()));
    }
    assert_eq!(headcount::snapshot().groups_overflowed, 9_900 + 950);
    for number in 0..20 {
        drop(headcount::task(format!("three-{number}")).track(pending::<()>()));
    }
    let snapshot = headcount::snapshot();
    assert_eq!(snapshot.groups.len(), 201, "two hundred, and one for the rest");
    let overflowed = 9_900 + 950 + 10;
    assert_eq!(snapshot.groups_overflowed, overflowed);
    let user = headcount::task("__other__").track(pending::<()>());
    assert_eq!(headcount::snapshot().groups_overflowed, overflowed + 1, "no room for it either");
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
    // The kind is new, so its overflow is said first.
    let [_, line] = &lines.take()[..] else { panic!("two lines") };
    assert!(
        line.contains("__other__ #") && line.contains(": no paper (name and location not kept"),
        "{line}"
    );
    assert!(line.contains("`max_groups`") && line.contains("headcount_groups_overflowed_total"), "{line}");
}

/// A label alone takes no more than a name does.
#[test]
fn labels_of_tasks_without_a_name_are_bounded() {
    own_process!();
    for number in 0..1_000 {
        drop(headcount::task("").label("user", number.to_string()).track(pending::<()>()));
    }
    assert_eq!(headcount::snapshot().groups.len(), 101, "half of max_groups, and the rest");
}

/// The jobs of one helper, as an application has them.
#[test]
fn names_that_are_few_are_all_kept() {
    own_process!();
    for number in 0..90 {
        drop(headcount::task(format!("job-{number}")).track(pending::<()>()));
    }
    let snapshot = headcount::snapshot();
    assert_eq!(snapshot.groups_overflowed, 0);
    assert_eq!(snapshot.groups.iter().filter(|group| group.name.starts_with("job-")).count(), 90);
}
