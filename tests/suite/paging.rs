//! Pages of 100,000 tasks: each task once, in order, whatever the sorting. One process, since all its tasks
//! are on them.

use std::collections::HashSet;
use std::future::pending;

use headcount::snapshot::{Page, SortBy, SortOrder, State, TaskInfo, TaskQuery};

const TASKS: usize = 100_000;

fn page(query: &TaskQuery) -> Page<TaskInfo> {
    headcount::snapshot::tasks(query).unwrap()
}

/// Follows the cursors over some pages.
fn pages(query: &TaskQuery, count: usize) -> Vec<TaskInfo> {
    let mut query = query.clone().limit(500);
    let mut tasks = Vec::new();
    for _ in 0..count {
        let mut page = page(&query);
        tasks.append(&mut page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    tasks
}

fn each_once(tasks: &[TaskInfo]) -> bool {
    tasks.iter().map(|task| task.id).collect::<HashSet<_>>().len() == tasks.len()
}

#[tokio::test]
async fn pages_of_many_tasks() {
    own_process!();
    let names = ["apple", "Birne", "cherry", "date"];
    let mut handles: Vec<_> =
        (0..TASKS).map(|number| headcount::task(names[number % 4]).spawn(pending::<()>())).collect();
    let everything = page(&TaskQuery::default());
    assert_eq!((everything.total, everything.items.len()), (TASKS, 100));
    assert_eq!(page(&TaskQuery::default().limit(0)).items.len(), 1);
    assert_eq!(page(&TaskQuery::default().limit(9999)).items.len(), 500);

    assert_eq!(page(&TaskQuery::default().state(State::Queued)).total, TASKS);

    // One thread spawned all of them, so that their ids are in the order of their ages.
    let by = |sort, order| TaskQuery::default().sort(sort).order(order);
    let oldest = pages(&TaskQuery::default(), 6);
    assert!(each_once(&oldest) && oldest.windows(2).all(|pair| pair[0].id < pair[1].id));
    let youngest = pages(&by(SortBy::Age, SortOrder::Asc), 6);
    assert!(each_once(&youngest) && youngest.windows(2).all(|pair| pair[1].id < pair[0].id));
    assert!(oldest[0].started_at < youngest[0].started_at);
    let by_name = pages(&by(SortBy::Name, SortOrder::Desc), 3);
    assert!(by_name.iter().all(|task| &*task.name == "date"), "descending, the last name first");
    assert_eq!(*pages(&by(SortBy::Name, SortOrder::Asc), 1)[0].name, *"Birne");
    // All are equal here: then the id decides, and each is there once.
    for sort in [SortBy::Busy, SortBy::Polls] {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            let equal = pages(&by(sort, order), 4);
            assert!(equal.len() == 2000 && equal.windows(2).all(|pair| pair[0].id < pair[1].id));
        }
    }

    // All pages of one name hold all its tasks, though another name comes between meanwhile.
    let (first, rest) = {
        let mut query = name("cherry").limit(500);
        query.sort = SortBy::Name;
        let first = page(&query);
        handles.push(headcount::task("banana").spawn(pending()));
        (first.items, pages(&query.cursor(first.next), usize::MAX))
    };
    let cherries: Vec<_> = first.into_iter().chain(rest).collect();
    assert_eq!(cherries.len(), TASKS / 4);
    assert!(each_once(&cherries));

    // A task that ends between two pages is no reason to miss or repeat another.
    let mut query = TaskQuery::default().limit(500);
    let first = page(&query);
    let last = first.items.last().unwrap().id;
    let ended = handles
        .iter()
        .position(|handle| headcount::snapshot::task(last).is_some() && !handle.is_finished())
        .unwrap();
    let handle = handles.swap_remove(ended);
    handle.abort();
    handle.await.unwrap_err();
    query.cursor = first.next.clone();
    let second = page(&query);
    assert_eq!(second.items[0].id, oldest[500].id);

    // Filters.
    tokio::task::yield_now().await;
    let polled = TaskQuery::default().state(State::Idle).sort(SortBy::Polls);
    assert!(0 < page(&polled).total);
    assert_eq!(page(&TaskQuery::default().search("BANANA")).total, 1);
    assert_eq!(page(&TaskQuery::default().search(format!("#{last}"))).total, 1);
    let other = TaskQuery::default().cursor(everything.next).sort(SortBy::Name);
    assert!(
        headcount::snapshot::tasks(&other).is_ok(),
        "a cursor of another sorting is a place like any other"
    );
}

fn name(name: &str) -> TaskQuery {
    TaskQuery::default().name(name)
}
