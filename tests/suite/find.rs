//! What a search finds, and the figures that a reading gathers.

use std::future::pending;
use std::time::Duration;

use headcount::snapshot::{FinishedQuery, State, TaskQuery};

/// The names of the live tasks that a search finds, sorted.
fn live(search: &str) -> Vec<String> {
    let query = TaskQuery::default().filter(search.parse().unwrap());
    let page = headcount::snapshot::tasks(&query).unwrap();
    let mut names: Vec<_> = page.items.iter().map(|task| task.name.to_string()).collect();
    names.sort();
    names
}

fn finished(search: &str) -> usize {
    let query = FinishedQuery::default().filter(search.parse().unwrap());
    headcount::snapshot::finished(&query).unwrap().total
}

fn fails() -> impl Future<Output = Result<(), String>> {
    std::future::ready(Err("connection refused".to_owned()))
}

#[tokio::test]
async fn searches_find_what_their_terms_say() {
    own_process!();
    let mail = headcount::task("send-email").label("provider", "ses").field("order_id", 42);
    let mail = mail.spawn(async {
        headcount::current().unwrap().set_status("batch 3/10");
        headcount::task("attachment").spawn(pending::<()>());
        headcount::task("attachment").spawn(pending::<()>());
        pending::<()>().await;
    });
    let other = headcount::task("send-push").label("provider", "apns").spawn(pending::<()>());
    let nightly = headcount::task("nightly import");
    let nightly = nightly.on_shutdown(headcount::OnShutdown::Detach).spawn(pending::<()>());
    for _ in 0..6 {
        headcount::task("fetch").spawn_fallible(fails()).await.unwrap().unwrap_err();
        // Inside the task, so that it takes as long whatever holds up the spawn.
        let pause = async { tokio::time::sleep(Duration::from_millis(60)).await };
        headcount::task("pause").spawn(pause).await.unwrap();
    }

    assert_eq!(live("label.provider:ses"), ["send-email"]);
    assert_eq!(live("label.provider:SES,apns"), ["send-email", "send-push"]);
    assert_eq!(live("name:send -label.provider:ses"), ["send-push"]);
    assert_eq!(live("name:send-*"), ["send-email", "send-push"]);
    assert_eq!(live("field.order_id:42 status:batch"), ["send-email"]);
    assert_eq!(live("on_shutdown:detach"), ["nightly import"]);
    assert_eq!(live("\"nightly import\""), ["nightly import"]);
    assert_eq!(live("nightly import kind:task state:idle"), ["nightly import"]);
    assert_eq!(live("location:find.rs outcome:ok"), [""; 0], "no live task has an outcome");
    assert_eq!(live("age:>1h"), [""; 0]);
    assert_eq!(live("age:<1h").len(), 5);
    assert_eq!(live("state:blocked"), [""; 0]);
    assert_eq!((finished("outcome:error"), finished("outcome:error,ok")), (6, 12));
    assert_eq!((finished("message:REFUSED"), finished("refused age:>1h")), (6, 0));
    assert_eq!((finished("name:pause age:>50ms"), finished("state:idle")), (6, 0));

    children_and_states_are_counted();
    usual_durations_are_those_of_the_tasks();
    for task in [mail, other, nightly] {
        task.abort();
    }
}

fn children_and_states_are_counted() {
    let page = headcount::snapshot::tasks(&TaskQuery::default()).unwrap();
    let parent = page.items.iter().find(|task| &*task.name == "send-email").unwrap();
    assert_eq!(parent.children, 2);
    assert!(page.items.iter().all(|task| task.id == parent.id || task.children == 0));
    let roots = headcount::snapshot::tasks(&TaskQuery::default().roots()).unwrap();
    assert_eq!((page.total, roots.total), (5, 3));
    let states = headcount::snapshot().states;
    assert_eq!((states.idle, states.get(State::Blocked)), (5, 0));
}

/// The nearest rank of what the history has.
fn usual_durations_are_those_of_the_tasks() {
    let ended = headcount::snapshot::finished(&FinishedQuery::default().name("pause"));
    let mut durations: Vec<_> = ended.unwrap().items.iter().map(|task| task.duration.as_secs_f64()).collect();
    durations.sort_by(f64::total_cmp);
    let snapshot = headcount::snapshot();
    let usual = |name| snapshot.groups.iter().find(|group| &*group.name == name).unwrap().usual;
    let pause = usual("pause").unwrap();
    assert!(!pause.at_most && pause.count == 6);
    for (usual, truth) in [(pause.p50, durations[2]), (pause.p95, durations[5]), (pause.p99, durations[5])] {
        assert!((usual.as_secs_f64() / truth - 1.0).abs() < 0.02, "{usual:?} is not {truth}");
    }
    assert_eq!(usual("fetch"), None, "none ended ok");
}
