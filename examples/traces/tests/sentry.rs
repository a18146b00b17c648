//! Sentry's hub survives a spawn: the events of a task have the tags of the request that spawned it.

use headcount::Headcount;
use headcount_traces::sentry::SentryHub;
use sentry_core::protocol::Event;
use sentry_core::test::with_captured_events;
use sentry_core::{Hub, Level, capture_message, configure_scope};
use tokio::runtime::Builder;

#[test]
fn events_of_a_task_have_the_tags_of_its_request() {
    let hc = Headcount::builder().admin(None).signals(false).carry(SentryHub).install().unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let events = with_captured_events(|| {
        configure_scope(|scope| scope.set_tag("request", "POST /signup"));
        let entered = runtime.enter();
        let sends = headcount::task("send-email").spawn(async {
            tokio::task::yield_now().await;
            configure_scope(|scope| scope.set_tag("own", "yes"));
            tokio::task::yield_now().await;
            capture_message("bounced", Level::Error);
        });
        let resizes =
            headcount::task("thumbnail").spawn_blocking(|| capture_message("too large", Level::Error));
        drop(entered);
        runtime.block_on(async {
            sends.await.unwrap();
            resizes.await.unwrap();
        });
        capture_message("of the request itself", Level::Info);
    });
    let tags = |message: &str| {
        let event: &Event<'_> =
            events.iter().find(|event| event.message.as_deref() == Some(message)).unwrap();
        let tag = |key: &str| event.tags.get(key).cloned().unwrap_or_default();
        [tag("request"), tag("task"), tag("own")]
    };
    assert_eq!(tags("bounced"), ["POST /signup", "send-email", "yes"]);
    assert_eq!(tags("too large"), ["POST /signup", "thumbnail", ""]);
    assert_eq!(tags("of the request itself"), ["POST /signup", "", ""], "the task's tags are its own");
    // Nothing is left on the worker threads.
    let left = runtime.block_on(runtime.spawn(async { Hub::current().client().is_some() })).unwrap();
    assert!(!left);
    drop(hc);
}
