//! Services and timers over HTTP, in the metrics, and among what needs attention.

use std::future::pending;
use std::net::SocketAddr;

use headcount::settings::{Action, Hide};
use headcount::{Backoff, Builder, Headcount, Restart, ServiceHandle, ServiceState, every, service};
use serde_json::{Value, json};

use super::secs;
use crate::support::http::{get, send};

fn builder() -> Builder {
    Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0)))
}

async fn in_state(handle: &ServiceHandle, state: ServiceState) {
    while handle.state() != state {
        tokio::task::yield_now().await;
    }
}

fn failing(name: &'static str) -> ServiceHandle {
    let hour = Backoff::constant(secs(3_600)).give_up(2, secs(36_000));
    let fails = || async { Err::<(), _>("no connection") };
    service(name, fails).restart(Restart::OnFailure, hour).spawn().unwrap()
}

fn listed(admin: SocketAddr, name: &str) -> Value {
    let services = get(admin, "/api/v1/services").json();
    let items = services["items"].as_array().unwrap();
    items.iter().find(|item| item["name"] == name).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_state_last_run_and_next() {
    own_process!();
    let hc = builder().install().unwrap();
    let admin = hc.admin_addr().unwrap();
    assert_eq!(get(admin, "/api/v1/services").json(), json!({ "items": [] }));
    assert_eq!(get(admin, "/api/v1/summary").json()["services"], 0);
    let consumer = failing("consumer");
    let timer = every(secs(3_600), "report").run(|| async {}).unwrap();
    let pump = service("pump", pending::<()>).critical().spawn().unwrap();
    in_state(&consumer, ServiceState::BackingOff).await;
    while timer.info().last.is_none() || pump.info().task.is_none() {
        tokio::task::yield_now().await;
    }
    in_state(&timer, ServiceState::Waiting).await;
    let listed = |name: &str| listed(admin, name);
    let shown = listed("consumer");
    let pairs = [
        ("kind", json!("service")),
        ("state", json!("backing_off")),
        ("restart", json!("on_failure")),
        ("critical", json!(false)),
        ("period_seconds", Value::Null),
        ("task", Value::Null),
        ("failures_in_a_row", json!(1)),
        ("restarts", json!(1)),
        ("last_success_at", Value::Null),
    ];
    for (key, value) in pairs {
        assert_eq!(shown[key], value, "{key} of {shown}");
    }
    assert_eq!(shown["last"]["outcome"], "error");
    assert_eq!(shown["last"]["message"], "no connection");
    assert!(3_500.0 < shown["next_in_seconds"].as_f64().unwrap(), "{shown}");
    let run = get(admin, &format!("/api/v1/tasks/{}", shown["last"]["task"])).json();
    assert_eq!((&run["kind"], &run["outcome"]), (&json!("service"), &json!("error")));
    let report = listed("report");
    assert_eq!((&report["state"], &report["period_seconds"]), (&json!("waiting"), &json!(3_600.0)));
    assert!(report["last_success_at"].is_string() && report["restart"].is_null(), "{report}");
    let shown = listed("pump");
    assert_eq!(
        (&shown["state"], &shown["critical"], &shown["last"]),
        (&json!("running"), &json!(true), &Value::Null)
    );
    // Supervisors are no tasks of the application's, tracked or not.
    let summary = || get(admin, "/api/v1/summary").json();
    assert_eq!(summary()["services"], 3);
    // The runtime lets go of a task that has ended a moment later than the registry does.
    while summary()["untracked"] != 0 {
        tokio::task::yield_now().await;
    }
    // One that ends with its runtime is lost, which ends the process.
    pump.stop();
    pump.ended().await;
}

/// A service that does not listen ends when it fails: that says nothing of when it ends in a stop.
#[tokio::test(flavor = "multi_thread")]
async fn the_forecast_does_not_take_failures_for_ends() {
    own_process!();
    let hc = builder().install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let mut runs = 0;
    let flaky = move || {
        runs += 1;
        let fails = runs <= 10;
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            if fails {
                return Err("no connection");
            }
            pending::<()>().await;
            Ok(())
        }
    };
    let quick = Backoff::constant(std::time::Duration::from_millis(1));
    let pump = service("pump", flaky).restart(Restart::OnFailure, quick).spawn().unwrap();
    let listens = service("listens", headcount::draining).spawn().unwrap();
    while pump.info().runs < 11 || listens.info().task.is_none() {
        tokio::task::yield_now().await;
    }
    let forecast = get(admin, "/api/v1/forecast").json();
    assert_eq!(
        (&forecast["unknown"], &forecast["unknown_names"][0]["name"]),
        (&json!(1), &json!("pump")),
        "{forecast}"
    );
    assert_eq!(forecast["done"], 1, "the other is done as soon as it is told: {forecast}");
    // Nor is one that goes on for longer than those that failed a stuck task.
    let attention = get(admin, "/api/v1/attention").json();
    assert!(!attention.to_string().contains("longer than"), "{attention}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_now_is_an_action_with_all_guards() {
    own_process!();
    let hc = builder().allow_actions(Action::Run).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let consumer = failing("consumer");
    let timer = every(secs(3_600), "report").run(pending::<()>).unwrap();
    in_state(&consumer, ServiceState::BackingOff).await;
    in_state(&timer, ServiceState::Running).await;
    let instance = get(admin, "/livez").header("headcount-instance").unwrap().to_owned();
    let path = |id: u64| format!("/api/v1/services/{id}/run");
    let post = |id: u64, headers: &[(&str, &str)]| send(admin, "POST", &path(id), headers, "");
    let mine = [("If-Match", instance.as_str())];
    let id = consumer.id().get();
    post(id, &[]).expect_problem(412, "If-Match");
    post(id, &[mine[0], ("Sec-Fetch-Site", "cross-site")]).expect_problem(403, "this server's own page");
    assert_eq!(consumer.info().runs, 1, "none of these began a run");
    post(id, &mine).expect(202);
    while consumer.info().failures < 2 {
        tokio::task::yield_now().await;
    }
    post(timer.id().get(), &mine).expect_problem(409, "alive already");
    post(4_711, &mine).expect_problem(404, "no service or timer 4711");
    timer.stop();
    timer.ended().await;
    post(timer.id().get(), &mine).expect_problem(409, "is over");
    // Others are not permitted by it, and it is not by others.
    send(admin, "POST", "/api/v1/shutdown", &mine, "")
        .expect_problem(405, "HEADCOUNT_ALLOW_ACTIONS=shutdown");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_and_shutdown_do_not_permit_a_run() {
    own_process!();
    let hc = builder().allow_actions(true).hide([Hide::Messages]).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let consumer = failing("consumer");
    in_state(&consumer, ServiceState::BackingOff).await;
    let instance = get(admin, "/livez").header("headcount-instance").unwrap().to_owned();
    let path = format!("/api/v1/services/{}/run", consumer.id());
    let refused = send(admin, "POST", &path, &[("If-Match", &instance)], "");
    refused.expect_problem(405, "HEADCOUNT_ALLOW_ACTIONS=run");
    assert_eq!(consumer.info().runs, 1);
    // Hidden messages stay hidden.
    assert_eq!(listed(admin, "consumer")["last"]["message"], Value::Null);
    assert!(!get(admin, "/api/v1/attention").text().contains("no connection"));
}

/// Only groups that have services or timers have their series.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_attention_know_them() {
    own_process!();
    let hc = builder().install().unwrap();
    let admin = hc.admin_addr().unwrap();
    headcount::task("plain").spawn(async {}).await.unwrap();
    let series = |name: &str| -> Vec<String> {
        let text = hc.render_metrics();
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    };
    assert_eq!(series("headcount_service_").len() + series("headcount_timer_").len(), 0);
    let consumer = failing("consumer");
    let pump = service("pump", pending::<()>).label("queue", "orders").spawn().unwrap();
    let timer = every(secs(3_600), "report").run(|| async {}).unwrap();
    in_state(&consumer, ServiceState::BackingOff).await;
    in_state(&pump, ServiceState::Running).await;
    while timer.info().last_success.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        series("headcount_service_up"),
        [
            "headcount_service_up{task=\"consumer\",kind=\"service\"} 0",
            "headcount_service_up{task=\"pump\",kind=\"service\",queue=\"orders\"} 1",
        ]
    );
    assert_eq!(
        series("headcount_service_restarts_total")[0],
        "headcount_service_restarts_total{task=\"consumer\",kind=\"service\"} 1"
    );
    assert_eq!(
        series("headcount_timer_skipped_total"),
        ["headcount_timer_skipped_total{task=\"report\",kind=\"timer\"} 0"]
    );
    let [success] = &series("headcount_timer_last_success_timestamp_seconds{task=\"report\"")[..] else {
        panic!()
    };
    let at: f64 = success.rsplit(' ').next().unwrap().parse().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - at).abs() < 30.0, "{success}");
    // Prometheus' `changes()` counts successes, so that it is the same until the next.
    assert_eq!(series("headcount_timer_last_success_timestamp_seconds{task=\"report\""), [success.as_str()]);

    for _ in 0..2 {
        in_state(&consumer, ServiceState::BackingOff).await;
        let before = consumer.info().failures;
        consumer.run_now().unwrap();
        while consumer.info().failures == before {
            tokio::task::yield_now().await;
        }
    }
    in_state(&consumer, ServiceState::Failed).await;
    let attention = get(admin, "/api/v1/attention").json();
    let sentence = "consumer has failed 3 times in a row and is not restarted (the last ended as error)";
    let item = attention["items"].as_array().unwrap().iter().find(|item| item["sentence"] == sentence);
    let item = item.unwrap_or_else(|| panic!("{attention}"));
    assert_eq!((&item["severity"], &item["link"]["view"]), (&json!("critical"), &json!("services")));
}
