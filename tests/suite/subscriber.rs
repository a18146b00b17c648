//! A subscriber that begins and ends tracked tasks in the lines of headcount itself.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use headcount::Headcount;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

#[derive(Clone, Default)]
struct Spawns {
    lines: Arc<Mutex<Vec<String>>>,
    /// One for each line.
    earlier: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Spawns {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.lines.lock().unwrap().push(message.0);
        drop(headcount::task("dropped").track(pending::<()>()));
        headcount::task("ready").field("key", 1).track(ready(())).now_or_never().unwrap();
        let earlier = self.earlier.lock().unwrap().pop();
        drop(earlier);
    }
}

/// How many tasks of a name began, ended and live.
fn counts(name: &str) -> (u64, u64, u64) {
    let groups = headcount::snapshot().groups.into_iter().filter(|group| &*group.name == name);
    groups.fold((0, 0, 0), |(spawned, ended, live), group| {
        (spawned + group.spawned, ended + group.finished.total(), live + group.live)
    })
}

/// These lines are written while a task begins.
#[test]
fn tasks_begin_and_end_in_a_line_about_one_that_begins() {
    own_process!("HEADCOUNT_TIMEOUT" = "ruled=1h");
    let _hc = Headcount::builder().admin(None).signals(false).install().unwrap();
    let spawns = Spawns::default();
    for _ in 0..3 {
        spawns.earlier.lock().unwrap().push(Box::pin(headcount::task("earlier").track(pending())));
    }
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spawns.clone()));
    drop(headcount::task("alike").label("a-b", "1").label("a_b", "2").track(pending::<()>()));
    let two_hours = Duration::from_secs(7200);
    drop(headcount::task("ruled").timeout(two_hours).track(pending::<()>()));
    for number in 0..150 {
        drop(headcount::task(format!("user-{number}")).track(pending::<()>()));
    }
    drop(guard);
    let lines = spawns.lines.lock().unwrap();
    let parts =
        ["are the same key in metrics", "ruled may run for 60m 0s", "New groups are counted together"];
    assert!(
        lines.len() == 3 && lines.iter().zip(parts).all(|(line, part)| line.contains(part)),
        "{lines:#?}"
    );
    for name in ["earlier", "dropped", "ready"] {
        assert_eq!(counts(name), (3, 3, 0), "{name}");
    }
    assert_eq!((counts("alike"), counts("ruled")), ((1, 1, 0), (1, 1, 0)));
    assert_eq!(headcount::snapshot().live, 0);
}
