//! What comes and what went wrong: the forecast of a stop, what deserves attention, failures by message, and
//! the list of a stop.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use headcount::snapshot::{TaskInfo, TaskQuery};
use headcount::{Headcount, OnShutdown, State};
use serde_json::Value;
use tokio::time::sleep;

use crate::support::http::get;
use crate::support::wait::until_yielding;

fn json(admin: SocketAddr, path: &str) -> Value {
    get(admin, path).expect(200).json()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

/// Of one group, since they are all spawned here. Its time counts from its begin.
fn mail(millis: u64) -> tokio::task::JoinHandle<()> {
    headcount::task("mail").spawn(async move { sleep(Duration::from_millis(millis)).await })
}

/// A load of which something is known, something cannot make it, and something is unknown. What blocks ends
/// with what is given back.
async fn spawn_load() -> [Sender<()>; 2] {
    let mails: Vec<_> = (0..8).map(|_| mail(2_000)).collect();
    for mail in mails {
        mail.await.unwrap();
    }
    for _ in 0..3 {
        let refused = async { Err::<(), _>("connection refused") };
        headcount::task("webhook").spawn_fallible(refused).await.unwrap().unwrap_err();
    }
    headcount::task("webhook").spawn_fallible(async { Err::<(), _>("no route") }).await.unwrap().unwrap_err();
    headcount::task("index-rebuild").spawn(async {
        for unit in 0..10_000 {
            headcount::current().unwrap().set_progress(unit, 10_000);
            sleep(Duration::from_millis(10)).await;
        }
    });
    let ((resize, resizes), (hog, hogs)) = (channel::<()>(), channel::<()>());
    headcount::task("resize-video").spawn_blocking(move || resizes.recv());
    headcount::task("hog").spawn(async move { assert!(hogs.recv().is_err()) });
    headcount::task("audit-log").on_shutdown(OnShutdown::Last).spawn(pending::<()>());
    headcount::task("main").spawn(pending::<()>());
    // What the forecast needs to know of them: a pace, and a poll that does not end.
    until_yielding(|| {
        let tasks = headcount::snapshot::tasks(&TaskQuery::default()).unwrap().items;
        let known = |name: &str, is_so: fn(&TaskInfo) -> bool| {
            tasks.iter().any(|task| &*task.name == name && is_so(task))
        };
        let has_pace = |task: &TaskInfo| {
            task.pace.is_some() && task.progress.is_some_and(|progress| 20 <= progress.done)
        };
        let is_ready = known("hog", |task| task.state == State::Blocked)
            && known("index-rebuild", has_pace)
            && known("main", |task| task.state == State::Idle)
            && known("audit-log", |task| task.state == State::Idle);
        if is_ready { Ok(()) } else { Err(tasks) }
    })
    .await;
    mail(2_000);
    [resize, hog]
}

#[tokio::test]
async fn a_progress_that_is_set_at_once_is_no_pace() {
    own_process!();
    let work = Duration::from_millis(300);
    let set = |done| headcount::current().unwrap().set_progress(done, 200);
    let (go_on, goes_on) = tokio::sync::oneshot::channel::<()>();
    let begins = headcount::task("begins-with-its-progress").spawn(async move {
        set(1);
        let _ = goes_on.await;
        sleep(2 * work).await;
        set(2);
        pending::<()>().await;
    });
    let ends = headcount::task("ends-with-its-progress").spawn(async move {
        sleep(work).await;
        set(100);
        pending::<()>().await;
    });
    let task =
        |name: &str| headcount::snapshot::tasks(&TaskQuery::default().name(name)).unwrap().items.remove(0);
    let done = |name: &str| task(name).progress.map(|progress| progress.done);
    let is_done = |name, units| if done(name) == Some(units) { Ok(()) } else { Err(done(name)) };
    until_yielding(|| is_done("begins-with-its-progress", 1)).await;
    assert_eq!(task("begins-with-its-progress").pace, None);
    drop(go_on);
    until_yielding(|| is_done("ends-with-its-progress", 100)).await;
    let pace = task("ends-with-its-progress").pace.unwrap().per_second;
    assert!((0.1..350.0).contains(&pace), "100 units in 0.3 s at the least: {pace}");
    until_yielding(|| is_done("begins-with-its-progress", 2)).await;
    let pace = task("begins-with-its-progress").pace.unwrap().per_second;
    assert!((0.001..1.7).contains(&pace), "a unit in 0.6 s at the least: {pace}");
    begins.abort();
    ends.abort();
}

/// More than the forecast looks at one by one.
const SOCKETS: usize = 3_000;

#[tokio::test]
async fn a_forecast_closes_connections_after_their_grace() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    for _ in 0..SOCKETS {
        headcount::task("socket").connection().spawn(pending::<()>());
    }
    let download = headcount::task("download").connection().grace(Duration::from_secs(3));
    download.spawn(pending::<()>());
    tokio::task::yield_now().await;
    let forecast = json(admin, "/api/v1/forecast");
    assert_eq!(forecast["done"], SOCKETS + 1, "{forecast}");
    assert_eq!((&forecast["unknown"], &forecast["expected_abandoned"]), (&0.into(), &0.0.into()));
    let done_in = forecast["done_in_seconds"].as_f64().unwrap();
    assert!((2.9..3.1).contains(&done_in), "{forecast}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_forecast_speaks_of_what_is_known_and_names_the_rest() {
    own_process!();
    let reports = std::env::temp_dir().join(format!("headcount-reports-{}", std::process::id()));
    std::fs::create_dir_all(&reports).unwrap();
    let earlier = r#"{ "instance": "earlier", "result": "drained", "exit_code": 0, "started_at": "", "duration_seconds": 1 }"#;
    std::fs::write(reports.join("earlier.json"), earlier).unwrap();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .blocked_after(Duration::from_secs(1))
        .report_dir(&reports)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let _released_at_the_end = spawn_load().await;

    let forecast = json(admin, "/api/v1/forecast?within=8s");
    assert_eq!(forecast["within_seconds"], 8.0);
    assert_eq!(names(&forecast["will_be_cut"]), ["hog", "index-rebuild"]);
    assert_eq!(names(&forecast["cannot_abort"]), ["resize-video"]);
    assert_eq!((&forecast["unknown"], &forecast["unknown_names"][0]["name"]), (&1.into(), &"main".into()));
    assert_eq!(forecast["done"], 2, "the mail, and the log that comes last: {forecast}");
    let abandoned = forecast["expected_abandoned"].as_f64().unwrap();
    assert!((2.0..=4.0).contains(&abandoned), "{abandoned}");
    let rebuild = &forecast["will_be_cut"][1];
    let eta = rebuild["eta_seconds"].as_f64().unwrap();
    assert!((60.0..20_000.0).contains(&eta), "10,000 units of 10 ms at the least: {eta}");
    let sentence = forecast["sentence"].as_str().unwrap();
    for part in [
        "If stopped now: 2 done in about ",
        "; hog does not yield",
        "at its pace, cut at 8 s",
        "1 unknown (main)",
    ] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    let ample = json(admin, "/api/v1/forecast?within=2d");
    assert!(!names(&ample["will_be_cut"]).contains(&"index-rebuild"), "it makes it in two days");
    get(admin, "/api/v1/forecast?within=soon").expect(400);
    let summary = json(admin, "/api/v1/summary");
    assert_eq!(summary["forecast"]["within_seconds"], 25.0);
    assert_eq!(summary["states"]["blocked"], 1);

    attention(admin, &summary);
    failures(admin);
    searches(admin);
    rows(admin);
    assert_eq!(json(admin, "/api/v1/stops")["items"][0]["instance"], "earlier");
    std::fs::remove_dir_all(&reports).unwrap();
    let metrics = get(admin, "/metrics").expect(200);
    let value = |name: &str| {
        let line = metrics.text().lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(
        value("headcount_stop_forecast_seconds").round(),
        25.0,
        "the deadline, since something is cut"
    );
    assert!(2.5 < value("headcount_stop_expected_abandoned"));
}

fn attention(admin: SocketAddr, summary: &Value) {
    let all = json(admin, "/api/v1/attention");
    let first = &all["items"][0];
    assert_eq!((&first["severity"], &first["link"]["view"]), (&"critical".into(), &"task".into()));
    let sentence = first["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("hog #") && sentence.contains(" has not yielded for "), "{sentence}");
    assert!(first["location"].as_str().unwrap().starts_with("tests/suite/admin/outlook.rs:"));
    assert!(first["since"].is_string());
    let task = json(admin, &format!("/api/v1/tasks/{}", first["link"]["task"]));
    assert_eq!((&task["name"], &task["waits_for"]), (&"hog".into(), &"does not yield".into()));
    let short = summary["attention"].as_array().unwrap();
    assert!(!short.is_empty() && short.len() <= 5);
}

fn failures(admin: SocketAddr) {
    let failures = json(admin, "/api/v1/failures");
    let items = failures["items"].as_array().unwrap();
    let told: Vec<_> = items.iter().map(|item| (item["message"].as_str().unwrap(), &item["count"])).collect();
    assert_eq!(told, [("connection refused", &3.into()), ("no route", &1.into())]);
    assert!(items[0]["first"].as_str() <= items[0]["last"].as_str());
    assert_eq!(json(admin, &format!("/api/v1/tasks/{}", items[0]["last_task"]))["outcome"], "error");
}

fn searches(admin: SocketAddr) {
    let total = |path: &str| json(admin, path)["total"].as_u64().unwrap();
    assert_eq!(total("/api/v1/tasks?q=state:blocked"), 1);
    assert_eq!(total("/api/v1/tasks?q=state:blocked%20name:mail"), 0);
    assert_eq!(total("/api/v1/finished?q=outcome:error%20message:refused"), 3);
    for (query, part) in
        [("state:asleep", "expected one of"), ("stat:blocked", "no filter"), ("age:5", "age:>5m")]
    {
        let problem = get(admin, &format!("/api/v1/tasks?q={query}")).expect(400).json();
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
}

fn rows(admin: SocketAddr) {
    let task = |name: &str| json(admin, &format!("/api/v1/tasks?name={name}"))["items"][0].clone();
    let rebuild = task("index-rebuild");
    assert_eq!((&rebuild["eta_bound"], &rebuild["waits_for"]), (&"about".into(), &Value::Null));
    assert!(50.0 < rebuild["eta_seconds"].as_f64().unwrap());
    assert_eq!(task("audit-log")["waits_for"], "Last: notified when all others have ended");
    assert_eq!(task("resize-video")["waits_for"], "cannot be aborted");
    assert_eq!((&task("main")["eta_seconds"], &task("main")["children_total"]), (&Value::Null, &0.into()));
}

#[tokio::test]
async fn a_forecast_counts_each_task_of_a_crowd() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let wait = || headcount::task("waits").spawn(pending::<()>());
    // No multiple of a share of them, so that some are behind the last that is counted alone.
    let tasks: Vec<_> = (0..10_007).map(|_| wait()).collect();
    let forecast = json(admin, "/api/v1/forecast?within=1s");
    assert_eq!(forecast["unknown"], 10_007, "{forecast}");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// What has run 24 s of 30 s ends in 6 s at the latest, whatever is known of its group.
#[tokio::test]
async fn a_forecast_knows_timeouts() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let timed = || headcount::task("timed").timeout(Duration::from_secs(30)).spawn(pending::<()>());
    let first = timed();
    sleep(Duration::from_millis(50)).await;
    let row = json(admin, "/api/v1/tasks?name=timed")["items"][0].clone();
    assert_eq!(row["eta_bound"], "at_most", "{row}");
    assert!(row["eta_seconds"].as_f64().unwrap() < 30.0, "{row}");
    let forecast = json(admin, "/api/v1/forecast?within=40s");
    assert_eq!((&forecast["done"], &forecast["unknown"]), (&1.into(), &0.into()), "{forecast}");
    let done_in = forecast["done_in_seconds"].as_f64().unwrap();
    assert!((15.0..30.1).contains(&done_in), "{forecast}");
    // A deadline before its timeout finds it alive; nothing else is known of it.
    assert_eq!(json(admin, "/api/v1/forecast?within=1s")["unknown"], 1);
    headcount::testing::advance(Duration::from_secs(24));
    let forecast = json(admin, "/api/v1/forecast?within=25s");
    let done_in = forecast["done_in_seconds"].as_f64().unwrap();
    assert!((2.0..6.0).contains(&done_in) && forecast["done"] == 1, "{forecast}");
    // More than are looked at one by one, and some of the group that have no timeout.
    let crowd: Vec<_> = (0..3_000).map(|_| timed()).collect();
    let plain: Vec<_> = (0..2_000).map(|_| headcount::task("timed").spawn(pending::<()>())).collect();
    let forecast = json(admin, "/api/v1/forecast?within=40s");
    assert_eq!((&forecast["done"], &forecast["unknown"]), (&3_001.into(), &2_000.into()), "{forecast}");
    crowd.iter().chain(&plain).chain([&first]).for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lists_what_it_will_wait_for_while_it_is_announced() {
    own_process!();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .announce_delay(Duration::from_secs(4))
        .drain_timeout(Duration::from_secs(20))
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let warm: Vec<_> = (0..6).map(|_| mail(5_000)).collect();
    for task in warm {
        task.await.unwrap();
    }
    headcount::task("consumer").spawn(headcount::draining());
    mail(5_000);
    headcount::task("short").grace(Duration::from_millis(700)).spawn(pending::<()>());
    headcount::task("left").on_shutdown(OnShutdown::Detach).spawn(pending::<()>());
    headcount::shutdown("test");
    let announcing = until_yielding(|| {
        let shutdown = json(admin, "/api/v1/summary")["shutdown"].clone();
        if shutdown["stage"] == "announcing" { Ok(shutdown) } else { Err(shutdown) }
    })
    .await;
    assert_eq!((&announcing["total"], &announcing["pending"]), (&3.into(), &3.into()));
    let told_in = announcing["told_in_seconds"].as_f64().unwrap();
    assert!(0.0 < told_in && told_in <= 4.0, "{told_in}");
    let mut listed = names(&announcing["tasks"]);
    listed.sort_unstable();
    assert_eq!(listed, ["consumer", "mail", "short"]);
    let row = |name: &str| {
        announcing["tasks"].as_array().unwrap().iter().find(|task| task["name"] == name).unwrap()
    };
    assert_eq!(row("short")["waits_for"], "grace 0.7 s");
    assert_eq!(row("short")["eta_bound"], "at_most");
    assert!(row("consumer")["eta_seconds"].as_f64().unwrap() <= 4.0, "it listens");

    let report = hc.drain().await;
    assert_eq!(report.ended.ok, 2);
    assert!(report.forecast_at_start.is_some());
    let over = json(admin, "/api/v1/summary")["shutdown"].clone();
    assert_eq!(over["told_in_seconds"], Value::Null);
    let at_start = over["forecast_at_start_seconds"].as_f64().unwrap();
    // The mail has its 5 s, the short one its grace behind the announcement.
    assert!((4.0..9.0).contains(&at_start), "{at_start}");
    let reported = over["report"]["forecast_at_start_seconds"].as_f64().unwrap();
    assert!((reported - at_start).abs() < 0.001, "{reported}");
    assert!(4.6 < over["took_seconds"].as_f64().unwrap(), "{over}");
    assert_eq!(over["burn_down"].as_array().unwrap().last().unwrap()[1], 1, "one was abandoned: {over}");
    assert_eq!(over["report"]["abandoned"][0]["reason"], "its grace of 0.7s ran out");
}

/// The list of what remains is up to a second old; what has ended in between is not in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_never_lists_a_task_as_remaining_and_as_ended() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    // One each 400 ms, so that those that ended since the list was made are among the newest ended.
    for nth in 1..=25 {
        mail(nth * 400);
    }
    headcount::shutdown("test");
    let (mut lists, mut drained) = (0, std::pin::pin!(hc.drain()));
    let over = loop {
        let shutdown = json(admin, "/api/v1/summary")["shutdown"].clone();
        let ids = |list: &str| -> Vec<u64> {
            shutdown[list].as_array().into_iter().flatten().map(|task| task["id"].as_u64().unwrap()).collect()
        };
        let (remaining, ended) = (ids("tasks"), ids("recently_ended"));
        assert!(!remaining.iter().any(|id| ended.contains(id)), "{shutdown}");
        lists += u32::from(!remaining.is_empty() && !ended.is_empty());
        if let Ok(report) = tokio::time::timeout(Duration::from_millis(20), &mut drained).await {
            break report;
        }
    };
    assert_eq!(over.ended.ok, 25);
    assert!(10 < lists, "{lists} answers had both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_curve_of_a_stop_never_rises() {
    own_process!();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .drain_timeout(Duration::from_secs(1))
        .abort_grace(Duration::from_secs(5))
        .exit_after(Duration::from_secs(60))
        .install()
        .unwrap();
    for _ in 0..5 {
        headcount::task("waits").spawn(pending::<()>());
    }
    headcount::task("listens").spawn(headcount::draining());
    // It ends while others are aborted, and is pending for a while after it was given up.
    headcount::task("closure").spawn_blocking(|| std::thread::sleep(Duration::from_secs(3)));
    let (_released_at_the_end, released) = channel::<()>();
    headcount::task("longer").spawn_blocking(move || released.recv());
    headcount::shutdown("test");
    let report = hc.drain().await;
    let over = json(hc.admin_addr().unwrap(), "/api/v1/summary")["shutdown"].clone();
    let points = over["burn_down"].as_array().unwrap().iter();
    let left: Vec<_> = points.map(|point| point[1].as_u64().unwrap()).collect();
    assert!(left.is_sorted_by(|earlier, later| later <= earlier), "{left:?}");
    assert_eq!(left.last(), Some(&report.abandoned_total), "{over}");
}
