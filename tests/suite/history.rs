//! The history's two rings, over all threads. One process, since all its tasks are in them.

use headcount::snapshot::{FinishedQuery, FinishedTask, Outcome};

const LIMIT: usize = 1000;

fn page(query: FinishedQuery) -> headcount::snapshot::Page<FinishedTask> {
    headcount::snapshot::finished(&query.limit(500)).unwrap()
}

/// All finished tasks, page by page.
fn all(query: &FinishedQuery) -> Vec<FinishedTask> {
    let mut tasks = Vec::new();
    let mut cursor = None;
    loop {
        let next = page(query.clone().cursor(cursor.take()));
        tasks.extend(next.items);
        match next.next {
            Some(next) => cursor = Some(next),
            None => return tasks,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn failures_are_not_washed_away() {
    own_process!();
    let fail = |number: u32| {
        headcount::task("rare")
            .field("number", number)
            .spawn_fallible(async move { Err::<(), _>(format!("failure {number}")) })
    };
    for number in 0..3 {
        fail(number).await.unwrap().unwrap_err();
    }
    let successes: Vec<_> = (0..5_000).map(|_| headcount::task("frequent").spawn(async {})).collect();
    for success in successes {
        success.await.unwrap();
    }
    let tasks = all(&FinishedQuery::default());
    assert_eq!(tasks.len(), LIMIT + 3, "the newest of any outcome, and the failures before them");
    let failures = page(FinishedQuery::default().outcome(Outcome::Error));
    let messages: Vec<_> = failures.items.iter().map(|task| task.message.as_deref().unwrap()).collect();
    assert_eq!(messages, ["failure 2", "failure 1", "failure 0"], "newest first, with their texts");
    assert_eq!(failures.items[0].task.fields[0].1, "2");
    let newest_first = |pair: &[FinishedTask]| pair[1].finished_at <= pair[0].finished_at;
    assert!(tasks.windows(2).all(newest_first));
    let mut ids: Vec<_> = tasks.iter().map(|task| task.task.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), tasks.len(), "none twice");
    assert_eq!(headcount::snapshot().history_dropped, 5_003 - LIMIT as u64);

    // Failures push out failures, and the newest stay.
    for number in 3..1_100 {
        fail(number).await.unwrap().unwrap_err();
    }
    let failures = all(&FinishedQuery::default().name("rare"));
    assert_eq!(failures.len(), LIMIT);
    assert_eq!(failures[0].message.as_deref(), Some("failure 1099"));
    assert_eq!(failures[LIMIT - 1].message.as_deref(), Some("failure 100"));

    // By text, name and group.
    let search = |text: &str| page(FinishedQuery::default().search(text)).total;
    assert_eq!((search("FAILURE 1099"), search("no such thing")), (1, 0));
    assert_eq!(search(&format!("#{}", failures[7].task.id)), 1);
    let group = failures[0].task.group;
    assert_eq!(page(FinishedQuery::default().group(group)).total, LIMIT);
    assert!(headcount::snapshot::task(failures[0].task.id).is_some());
    for cursor in ["", "-", "1", "zz-1"] {
        let query = FinishedQuery::default().cursor(Some(cursor.to_owned()));
        assert!(
            headcount::snapshot::finished(&query)
                .is_err_and(|problem| problem.to_string().contains("cursor=")),
            "{cursor:?}"
        );
    }
}
