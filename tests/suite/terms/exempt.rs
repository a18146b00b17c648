//! Wildcards leave alone what must go on or serves others; a name does not. Each of these is a real one.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use headcount::snapshot::{GroupInfo, Kind, State, TaskQuery};
use headcount::testing::advance;
use headcount::{Headcount, OnShutdown, Outcome, ServiceHandle, SetBy, every, service};
use tokio::task::JoinHandle;

use super::{HOUR, outcome};
use crate::support::http::get;
use crate::support::wait::until_yielding;

/// What wildcards leave alone, by the names of their groups.
const EXEMPT: [&str; 6] = ["consumer", "refresh", "/wait", "peer", "cache", "audit"];

/// One of each, and a plain task.
struct Work {
    services: [ServiceHandle; 2],
    tasks: Vec<JoinHandle<()>>,
}

impl Work {
    /// All are alive when this returns.
    async fn begin() -> Self {
        let consumer = service("consumer", pending::<()>).spawn().unwrap();
        let refresh = every(HOUR, "refresh").run(pending::<()>).unwrap();
        let app = Router::new().route("/wait", on_get(pending::<()>)).layer(headcount::TrackLayer::new());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let client = tokio::spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"GET /wait HTTP/1.1\r\nhost: here\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
            pending::<()>().await;
        });
        let tasks = vec![
            client,
            headcount::task("peer").connection().spawn(pending::<()>()),
            headcount::task("cache").on_shutdown(OnShutdown::Last).spawn(pending::<()>()),
            headcount::task("audit").on_shutdown(OnShutdown::Detach).spawn(pending::<()>()),
            headcount::task("plain").spawn(pending::<()>()),
        ];
        ended_are(&[]).await;
        Self { services: [consumer, refresh], tasks }
    }

    fn end(self) {
        self.services.iter().for_each(ServiceHandle::stop);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Waits until exactly these have no live task.
async fn ended_are(expected: &[&str]) {
    until_yielding(|| {
        let ended: Vec<_> = EXEMPT.into_iter().filter(|name| live(name).is_empty()).collect();
        if ended == expected { Ok(()) } else { Err(ended) }
    })
    .await;
}

fn live(name: &str) -> Vec<headcount::snapshot::TaskInfo> {
    let page = headcount::snapshot::tasks(&TaskQuery::default().name(name)).unwrap();
    page.items.into_iter().filter(|task| &*task.name == name).collect()
}

fn allowed(name: &str) -> Option<Duration> {
    live(name)[0].timeout.map(|timeout| timeout.allowed)
}

fn group(name: &str) -> GroupInfo {
    headcount::snapshot().groups.into_iter().find(|group| &*group.name == name).expect(name)
}

fn install(admin: bool) -> (Headcount, Option<SocketAddr>) {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = Headcount::builder().admin(admin.then_some(local)).signals(false).install().unwrap();
    let admin = hc.admin_addr();
    (hc, admin)
}

/// What the page and the API say of a name.
fn sentence(admin: SocketAddr, name: &str) -> Option<String> {
    let summary = get(admin, "/api/v1/summary").expect(200).json();
    let groups = summary["lifetime"]["groups"].as_array().unwrap().clone();
    let own = groups.iter().find(|group| group["name"] == name)?;
    Some(own["sentence"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_timeout_leaves_them_alone_and_nothing_says_else() {
    own_process!("HEADCOUNT_TIMEOUT" = "*=1h");
    let (_hc, admin) = install(true);
    let work = Work::begin().await;
    for name in EXEMPT {
        assert_eq!(allowed(name), None, "{name}");
        let terms = group(name).terms;
        assert_eq!(terms.and_then(|terms| terms.timeout), None, "{name}");
        assert_eq!(sentence(admin.unwrap(), name), None);
    }
    assert_eq!(allowed("plain"), Some(HOUR));
    assert_eq!(
        sentence(admin.unwrap(), "plain").unwrap(),
        "may live at most 1 h, since HEADCOUNT_TIMEOUT says so; at a shutdown at most 25 s more"
    );
    advance(2 * HOUR);
    until_yielding(|| if live("plain").is_empty() { Ok(()) } else { Err("alive") }).await;
    let ended: Vec<_> = EXEMPT.into_iter().filter(|name| live(name).is_empty()).collect();
    assert_eq!(ended, [""; 0], "a wildcard ended these");
    assert!(EXEMPT.iter().all(|name| live(name)[0].timeout.is_none()));
    work.end();
}

/// The groups are there before the rules are.
#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_that_comes_later() {
    own_process!("HEADCOUNT_TIMEOUT" = "*=1h", "HEADCOUNT_LIMIT" = "*=1/0");
    let work = Work::begin().await;
    let (_hc, admin) = install(true);
    for name in EXEMPT {
        let terms = group(name).terms;
        assert_eq!(
            terms.map(|terms| (terms.timeout, terms.limit)).unwrap_or_default(),
            (None, None),
            "{name}"
        );
        assert_eq!(sentence(admin.unwrap(), name), None);
        assert_eq!(allowed(name), None, "{name}");
    }
    assert_eq!(allowed("plain"), Some(HOUR));
    work.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_limit_leaves_them_alone() {
    own_process!("HEADCOUNT_LIMIT" = "*=1/0");
    let (_hc, admin) = install(true);
    let work = Work::begin().await;
    let more = Work::begin().await;
    for name in EXEMPT {
        let running = || live(name).iter().filter(|task| task.state != State::Limited).count();
        until_yielding(|| if running() == 2 { Ok(()) } else { Err((name, live(name))) }).await;
        let terms = group(name).terms;
        assert_eq!(terms.and_then(|terms| terms.limit), None, "{name}");
        assert_eq!(sentence(admin.unwrap(), name), None);
    }
    // These spawns are at one place, so they are of one group.
    let again = || headcount::task("audit").on_shutdown(OnShutdown::Detach).spawn_when_free(pending::<()>());
    let detached = [again().await, again().await];
    assert_eq!(outcome(more.tasks.into_iter().nth(4).unwrap().await), Outcome::Rejected, "the plain one");
    let plain = sentence(admin.unwrap(), "plain").unwrap();
    assert!(plain.contains("; at most 1 run at once and 0 wait, since HEADCOUNT_LIMIT says so;"), "{plain}");
    detached.iter().for_each(JoinHandle::abort);
    more.services.iter().for_each(ServiceHandle::stop);
    work.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_matches_them() {
    own_process!(
        "HEADCOUNT_TIMEOUT" = "*=1h,consumer=2h,refresh=2h,/wait=2h,peer=2h,cache=2h,audit=2h",
        "HEADCOUNT_LIMIT" = "*=1/0,consumer=2,refresh=2,/wait=2,peer=2,cache=2,audit=2"
    );
    let (_hc, admin) = install(true);
    let work = Work::begin().await;
    for name in EXEMPT {
        // A wildcard is not there for them, so the name is the first that fits.
        assert_eq!(allowed(name), Some(2 * HOUR), "{name}");
        let (group, sentence) = (group(name), sentence(admin.unwrap(), name).unwrap());
        let terms = group.terms.unwrap();
        assert_eq!((terms.timeout, terms.timeout_set_by), (Some(2 * HOUR), Some(SetBy::Variable)), "{name}");
        // What is not spawned by us cannot be held back.
        let limit = (group.kind != Kind::Request).then_some(2);
        assert_eq!(terms.limit, limit, "{name}");
        assert!(sentence.contains(", since HEADCOUNT_TIMEOUT says so"), "{sentence}");
    }
    assert_eq!(allowed("plain"), Some(HOUR));
    let at_stop = |name: &str| {
        let sentence = sentence(admin.unwrap(), name).unwrap();
        sentence.rsplit("; ").next().unwrap().to_owned()
    };
    let table = [
        ("consumer", "at a shutdown at most 25 s more"),
        ("/wait", "at a shutdown it is waited for at most 25 s"),
        ("peer", "at a shutdown at most 2 s more"),
        ("cache", "at a shutdown it goes on until nothing else is waited for, at most 26 s"),
        ("audit", "at a shutdown it is not waited for"),
    ];
    for (name, said) in table {
        assert_eq!(at_stop(name), said, "{name}");
    }
    advance(2 * HOUR);
    // A service begins again, and a request is not ours to abort.
    let outcomes = || work.services.each_ref().map(ServiceHandle::outcome);
    let expected = [Some(Outcome::Timeout); 2];
    until_yielding(|| if outcomes() == expected { Ok(()) } else { Err(outcomes()) }).await;
    until_yielding(|| {
        let left: Vec<_> =
            ["peer", "cache", "audit"].into_iter().filter(|name| !live(name).is_empty()).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    assert!(live("/wait")[0].timeout.unwrap().overdue);
    work.end();
}
