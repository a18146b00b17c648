//! Bad input has a documented result: never a panic, never memory without bounds.

use std::future::pending;

use crate::support::lines::Lines;
use headcount::TaskBuilder;
use headcount::snapshot::{GroupInfo, TaskInfo, TaskQuery};

fn group_of(task: TaskBuilder) -> GroupInfo {
    let task = begun(task);
    headcount::snapshot().groups.into_iter().find(|group| group.id == task.group).unwrap()
}

/// What a task looks like while it lives.
fn begun(task: TaskBuilder) -> TaskInfo {
    let parent = headcount::task("hostile-parent").track(async {
        let parent = headcount::current().unwrap().id();
        let _tracked = task.track(pending::<()>());
        let query = TaskQuery::default().parent(parent);
        headcount::snapshot::tasks(&query).unwrap().items.remove(0)
    });
    futures_util::FutureExt::now_or_never(parent).unwrap()
}

#[test]
fn names() {
    own_process!();
    let name = |name: &str| begun(headcount::task(name.to_owned())).name.to_string();
    assert!(name("").starts_with("tests/suite/hostile.rs:"), "an empty name is none");
    assert_eq!(name("Größe 🦀"), "Größe 🦀");
    assert_eq!(name("a\nb\0c\u{202e}"), "a\nb\0c\u{202e}", "kept as it is, escaped where it is written");
    let huge = name(&"x".repeat(1 << 20));
    assert!(huge.len() <= 128 && huge.ends_with('…'));
    let huge = name(&"ä".repeat(1 << 20));
    assert!(huge.len() <= 128 && huge.ends_with("ä…"));
}

#[test]
fn label_keys() {
    own_process!();
    let key = |key: &str| {
        begun(headcount::task("keys").label(key.to_owned(), "v")).labels.iter().next().unwrap().0.to_owned()
    };
    for reserved in ["task", "kind", "outcome", "le", "quantile"] {
        assert_eq!(key(reserved), format!("{reserved}_"));
        assert_eq!(key(&format!("__{reserved}")), format!("{reserved}_"));
    }
    assert_eq!(key("__name__"), "name__");
    assert_eq!(key("a b\n\"c"), "a_b__c");
    let legal = |key: String| {
        let mut characters = key.chars();
        characters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
            && key.len() <= 128
    };
    for hostile in ["", "_", "9", "é", "{}=", "\u{202e}"] {
        assert!(legal(key(hostile)), "{hostile:?}");
    }
    assert!(legal(key(&"k".repeat(1 << 20))));
}

/// Keys that become the same one are told apart, and one line of the log says so.
#[test]
fn label_keys_that_become_the_same() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    for value in ["1", "2", "1"] {
        let group = group_of(headcount::task("keys").label("a-b", value).label("a_b", value));
        let keys: Vec<&str> = group.labels.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a_b", "a_b_"]);
    }
    let told = "Labels \"a-b\" and \"a_b\" of keys are the same key in metrics";
    let told: Vec<_> = lines.take().into_iter().filter(|line| line.contains(told)).collect();
    assert_eq!(told.len(), 1, "once a name, of which there are two groups: {told:?}");
}

#[test]
fn label_values_and_numbers() {
    own_process!();
    let group =
        group_of(headcount::task("values").label("a", "1").label("b", "x".repeat(1 << 20)).label("a", "2"));
    assert_eq!(group.labels.get("a"), Some("2"), "the later value wins");
    assert!(group.labels.iter().nth(1).unwrap().1.len() <= 128);
    let many = (0..1000).fold(headcount::task("values"), |task, n| task.label(format!("l{n}"), "v"));
    assert_eq!(begun(many).labels.len(), 8, "the first eight");
}

#[test]
fn labels_too_long_to_be_kept_do_not_stand_for_none() {
    own_process!();
    let long = group_of(headcount::task("long-label").label("key", "x".repeat(1000)));
    let none = group_of(headcount::task("long-label"));
    assert_eq!((long.labels.len(), none.labels.len()), (1, 0));
}

#[test]
fn fields() {
    own_process!();
    let task = (0..1000).fold(headcount::task("fields"), |task, n| task.field(format!("f{n}"), n));
    let task = begun(task.field("f0", "later").field("f999", "too late"));
    assert_eq!(task.fields.len(), 16);
    assert_eq!(task.fields[0], ("f0".into(), "later".to_owned()));
    let huge = begun(headcount::task("fields").field("k".repeat(1 << 20), "v".repeat(1 << 20)));
    assert!(huge.fields[0].0.len() <= 256 && huge.fields[0].1.len() <= 256);
    assert_eq!(begun(headcount::task("fields").field("", "\n\0")).fields, [("".into(), "\n\0".to_owned())]);
}

#[tokio::test]
async fn statuses_and_fields_from_inside() {
    own_process!();
    let handle = headcount::task("inside").spawn(async {
        let task = headcount::current().unwrap();
        for number in 0..1000 {
            task.set_status(format!("{number} {}", "s".repeat(1 << 12)));
            task.set_field(format!("f{number}"), "v".repeat(1 << 12));
            task.set_progress(u64::MAX, 0);
        }
        task.id()
    });
    let details = headcount::snapshot::task(handle.await.unwrap()).unwrap();
    assert_eq!(details.statuses.len(), 16, "the last sixteen");
    assert!(details.statuses[15].1.starts_with("999 ") && details.statuses[15].1.len() <= 256);
    let headcount::snapshot::TaskLookup::Finished(task) = details.task else { panic!("it has ended") };
    assert_eq!(task.task.fields.len(), 16);
    assert!(task.task.fields.iter().all(|(_, value)| value.len() <= 256));
}

#[test]
fn a_name_that_is_ours_is_no_overflow() {
    own_process!();
    let task = begun(headcount::task("__other__"));
    assert_eq!(&*task.name, "__other__");
    assert_ne!(&*task.location, "");
    assert_eq!(headcount::snapshot().groups_overflowed, 0);
}

#[test]
fn pages_of_nonsense() {
    own_process!();
    for cursor in ["", "-", "x-y", "1", "-1", "ffffffffffffffffff-1", "1-\u{202e}"] {
        let query = TaskQuery::default().cursor(Some(cursor.to_owned()));
        assert!(
            headcount::snapshot::tasks(&query).is_err_and(|problem| problem.to_string().contains("cursor=")),
            "{cursor:?}"
        );
    }
    let query = TaskQuery::default().limit(usize::MAX).search("\u{0}".repeat(1 << 16));
    assert_eq!(headcount::snapshot::tasks(&query).unwrap().items.len(), 0);
    assert!(headcount::snapshot::task(u64::MAX).is_none() && headcount::snapshot::task(0).is_none());
}
