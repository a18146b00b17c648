//! `task!`: names and labels that are known when the program is compiled, and what a thread knows tasks by.

use std::sync::Arc;
use std::thread;

use headcount::OnShutdown;
use headcount::snapshot::{GroupInfo, TaskQuery};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

fn groups(name: &str) -> Vec<GroupInfo> {
    headcount::snapshot().groups.into_iter().filter(|group| &*group.name == name).collect()
}

fn labels_of(group: &GroupInfo) -> Vec<(&str, &str)> {
    group.labels.iter().collect()
}

#[tokio::test]
async fn a_site_is_a_group_with_its_labels_and_its_location() {
    own_process!();
    let line = line!() + 2;
    for _ in 0..1_000 {
        headcount::task!("send-email", provider = "ses", "data-center" = "eu").spawn(async {}).await.unwrap();
    }
    let [group] = &groups("send-email")[..] else { panic!("it is one group") };
    assert_eq!(labels_of(group), [("provider", "ses"), ("data_center", "eu")]);
    assert_eq!(&*group.location, format!("{}:{line}", file!()));
    assert_eq!((group.spawned, group.finished.ok), (1_000, 1_000));
}

#[test]
fn a_site_has_a_group_for_each_kind_and_one_for_all_threads() {
    own_process!();
    let builder = headcount::task!("site");
    let work = || {
        let runtime = Builder::new_current_thread().build().unwrap();
        let all = async {
            for _ in 0..100 {
                builder.clone().spawn(async {}).await.unwrap();
                builder.clone().spawn_local(async {}).await.unwrap();
                builder.clone().spawn_blocking(|| ()).await.unwrap();
                builder.clone().track(async {}).await;
            }
        };
        LocalSet::new().block_on(&runtime, all);
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let groups = groups("site");
    let mut kinds: Vec<&str> = groups.iter().map(|group| group.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["blocking", "future", "local", "task"]);
    for group in groups {
        assert_eq!((group.spawned, group.finished.ok), (400, 400), "{}", group.kind);
    }
}

/// Whatever the builder has can follow, and changes neither location nor labels of the site.
#[tokio::test]
async fn the_builder_follows() {
    own_process!();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let line = line!() + 1;
    let task = headcount::task!("flush", shard = "1")
        .label("zone", String::from("a"))
        .field("order_id", 42)
        .on_shutdown(OnShutdown::Last)
        .spawn(async { receiver.await.unwrap() });
    let page = headcount::snapshot::tasks(&TaskQuery::default().name("flush")).unwrap();
    let [info] = &page.items[..] else { panic!("it is one task") };
    assert_eq!(info.on_shutdown, OnShutdown::Last);
    assert_eq!(info.fields, [("order_id".into(), "42".into())]);
    assert_eq!(&*info.location, format!("{}:{line}", file!()));
    assert_eq!(info.labels.iter().collect::<Vec<_>>(), [("shard", "1"), ("zone", "a")]);
    sender.send(()).unwrap();
    task.await.unwrap();
}

/// Values of the run time make the same groups as texts of the program.
#[tokio::test]
async fn values_of_the_run_time_fall_back_to_the_builder() {
    own_process!();
    let name = String::from("send-sms");
    for provider in ["one", "two"] {
        for _ in 0..10 {
            headcount::task!(name.clone(), provider = provider.to_owned()).spawn(async {}).await.unwrap();
            headcount::task!("send-fax", provider = provider).spawn(async {}).await.unwrap();
        }
    }
    for name in ["send-sms", "send-fax"] {
        let mut found: Vec<_> = groups(name)
            .iter()
            .map(|it| (it.labels.get("provider").map(str::to_owned), it.finished.ok))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(Some("one".into()), 10), (Some("two".into()), 10)]);
    }
}

/// A thread knows texts by their addresses; two that begin at the same one are not the same.
#[tokio::test]
async fn texts_at_one_address_are_told_apart() {
    own_process!();
    let text = "send-email";
    for _ in 0..10 {
        for end in 1..=text.len() {
            spawn_named(&text[..end]).await;
            spawn_labelled(&text[..end]).await;
        }
    }
    for end in 1..=text.len() {
        let [group] = &groups(&text[..end])[..] else { panic!("{} is one group", &text[..end]) };
        assert_eq!(group.finished.ok, 10);
    }
    assert_eq!(groups("labelled").len(), text.len());
    assert!(groups("labelled").iter().all(|group| group.finished.ok == 10));
}

async fn spawn_named(name: &'static str) {
    headcount::task(name).spawn(async {}).await.unwrap();
}

async fn spawn_labelled(value: &'static str) {
    headcount::task("labelled").label("value", value).spawn(async {}).await.unwrap();
}

/// More names than a thread's tables hold, in turn.
#[tokio::test]
async fn many_names_in_turn_are_counted_each() {
    own_process!();
    let names: Vec<&'static str> = (0..400).map(|number| &*format!("name-{number}").leak()).collect();
    for _ in 0..20 {
        for chunk in names.chunks(20) {
            for name in chunk {
                spawn_named(name).await;
            }
        }
    }
    // One location has at most half of the groups, and the others are one.
    let spawned: u64 = headcount::snapshot().groups.iter().map(|group| group.finished.ok).sum();
    assert_eq!(spawned, 8_000);
    assert!(names[..20].iter().all(|name| groups(name)[0].finished.ok == 20));
}

/// The same name, kind and location with labels, without, and with an owned text.
#[tokio::test]
async fn the_ways_of_a_name_do_not_mix() {
    own_process!();
    for _ in 0..50 {
        for labels in 0..4 {
            let mut builder = headcount::task("mixed");
            for number in 0..labels {
                builder = builder.label(["a", "b", "c"][number], "x");
            }
            builder.spawn(async {}).await.unwrap();
        }
    }
    let groups = groups("mixed");
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().all(|group| group.finished.ok == 50));
}

/// Switched off, a site is a plain spawn.
#[tokio::test]
async fn off() {
    own_process!("HEADCOUNT" = "off");
    let answer = headcount::task!("off", a = "b").spawn(async { Arc::new(42) }).await.unwrap();
    assert_eq!(*answer, 42);
    assert_eq!(headcount::snapshot().spawned, 0);
}
