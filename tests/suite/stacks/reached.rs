//! What is polled in place or by a container: how it is reached, and what of it is kept.

use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use headcount::StackResult;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::{answered, id_of, install, named_like_a_library, stack_of, until_idle};
use crate::support::http::act;
use crate::support::wait::{until_awaited, until_yielding};

#[inline(never)]
async fn joins(members: usize) {
    let mut set = JoinSet::new();
    for _ in 0..members {
        headcount::task("member").spawn_in(&mut set, pending::<()>());
    }
    set.join_next().await;
}

#[inline(never)]
async fn gathers(members: usize) {
    let track = |_| headcount::task("part").track(pending::<()>());
    let mut all: FuturesUnordered<_> = (0..members).map(track).collect();
    all.next().await;
}

#[inline(never)]
async fn buffers(members: usize) {
    let track = |_| headcount::task("chunk").track(pending::<()>());
    let mut all = pin!(futures_util::stream::iter(0..members).map(track).buffer_unordered(members));
    all.next().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_named_with_the_children_that_live() {
    own_process!();
    let hc = install();
    let tasks = [
        headcount::task("joins").spawn(joins(12)),
        headcount::task("gathers").spawn(gathers(5)),
        headcount::task("buffers").spawn(buffers(1)),
    ];
    for (name, text, children) in [
        ("joins", "reached::joins → JoinSet::join_next (", ", 12 live children"),
        ("gathers", "reached::gathers → ", ", 5 live children"),
        ("buffers", "reached::buffers → ", ", 1 live child"),
    ] {
        let stack = stack_of(name).await;
        assert_eq!(stack.result, StackResult::Waits, "{name}");
        assert!(stack.text.contains(text) && stack.text.ends_with(children), "{name}: {}", stack.text);
        assert!(children.contains(&stack.children.unwrap().to_string()), "{name}: {:?}", stack.children);
    }
    // Whose members headcount does not know is named alone; what waits elsewhere has no such figure.
    let untracked = headcount::task("untracked").spawn(async {
        let mut all: FuturesUnordered<_> = (0..9).map(|_| pending::<()>()).collect();
        all.next().await;
    });
    let stack = stack_of("untracked").await;
    assert!(stack.children == Some(0) && stack.text.ends_with(')'), "{stack:?}");
    let (_sender, receiver) = oneshot::channel::<u32>();
    let elsewhere = headcount::task("elsewhere").spawn(async move {
        drop(headcount::task("child").spawn(pending::<()>()));
        receiver.await
    });
    assert_eq!(stack_of("elsewhere").await.children, None);

    // Those with more and with fewer stand together.
    let more = headcount::task("joins-more").spawn(joins(3));
    until_idle("joins-more").await;
    let admin = hc.admin_addr().unwrap();
    let list = until_yielding(|| {
        let list = act(admin, "/api/v1/stacks", "").expect(200).json();
        let folds = list["stacks"].as_array().unwrap();
        folds.iter().find(|fold| fold["count"] == 2 && fold["children"] == 15).cloned().ok_or(list)
    })
    .await;
    assert!(list["text"].as_str().unwrap().ends_with(", 15 live children"), "{list:#}");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    untracked.abort();
    elsewhere.abort();
    more.abort();
}

#[cfg(feature = "tower")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_asked_through_the_task_that_polls_it() {
    own_process!();
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower_service::Service;

    #[inline(never)]
    async fn handler() {
        Notify::new().notified().await;
    }

    async fn ready_when_asked() {
        let mut polls = 0;
        std::future::poll_fn(|_| {
            polls += 1;
            if 1 < polls { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    let _hc = install();
    let app = |path: &'static str| {
        let mut app: Router = Router::new().route(path, get(handler)).layer(headcount::TrackLayer::new());
        async move { drop(app.call(Request::get(path).body(Body::empty()).unwrap()).await) }
    };
    let connection = headcount::task("connection").spawn(app("/tracked"));
    let request = stack_of("/tracked").await;
    assert_eq!((request.result, request.kind.as_str()), (StackResult::Waits, "request"), "{}", request.text);
    assert!(
        request.text.contains("handler → notify::Notified (tests/suite/stacks/reached.rs:"),
        "{}",
        request.text
    );
    // The task around it has the request's frames too.
    assert!(stack_of("connection").await.text.contains("handler → notify::Notified"));

    // One that is ready when it is asked has gone on, and its answer is the client's.
    let (answers, request) = until_awaited(async || {
        let mut route: Router =
            Router::new().route("/ready", get(ready_when_asked)).layer(headcount::TrackLayer::new());
        let call = async move { route.call(Request::get("/ready").body(Body::empty()).unwrap()).await };
        let answers = headcount::task("answers").spawn(call);
        match headcount::stack(until_idle("/ready").await).await.map(answered) {
            Ok(Ok(request)) => Ok((answers, request)),
            // It came too late and has been polled all the same: another is asked.
            late => {
                answers.abort();
                let _ = answers.await;
                Err(late)
            }
        }
    })
    .await;
    assert_eq!((request.result, &*request.text), (StackResult::WentOn, "went on meanwhile"));
    assert_eq!(answers.await.unwrap().unwrap().status(), 200);

    // One that a task of tokio's own polls cannot be reached, and says why.
    let plain = tokio::spawn(app("/plain"));
    let request = headcount::stack(until_idle("/plain").await).await.unwrap();
    assert_eq!(request.result, StackResult::NotCaptured);
    let text = "not captured: nothing polled it within 1 s, and the task around it is not known to headcount";
    assert_eq!(request.text, text);
    connection.abort();
    plain.abort();
}

/// A member is polled by the container, not by the task around it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_a_container_that_nothing_wakes_says_so() {
    own_process!();
    let _hc = install();
    let task = headcount::task("gathers").spawn(gathers(1));
    let member = headcount::stack(until_idle("part").await).await.unwrap();
    assert_eq!(member.text, "not captured: the task around it did not poll it within 1 s");
    task.abort();
}

#[derive(Default)]
struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// Elsewhere than in a runtime's own task a waker that is kept could keep a future that was dropped.
#[tokio::test]
async fn wakers_of_what_is_polled_in_place_are_not_kept() {
    own_process!();
    let _hc = install();
    let wakes = Arc::new(Nothing);
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut tracked = pin!(headcount::task("by-hand").track(pending::<()>()));
    for _ in 0..3 {
        assert!(tracked.as_mut().poll(&mut context).is_pending());
        assert_eq!(Arc::strong_count(&wakes), 2);
    }
    // While it is asked, too: this is the poll that answers.
    let id = until_idle("by-hand").await;
    let stack = until_awaited(async || {
        let asked = tokio::spawn(headcount::stack(id));
        while !asked.is_finished() {
            assert!(tracked.as_mut().poll(&mut context).is_pending());
            tokio::task::yield_now().await;
        }
        answered(asked.await.unwrap().unwrap())
    })
    .await;
    assert_eq!(stack.text, "waits, and nothing says where");
    assert_eq!(Arc::strong_count(&wakes), 2);
    #[cfg(feature = "tower")]
    {
        use axum::{Router, body::Body, http::Request, routing::get};
        use tower_service::Service;

        let app = Router::new().route("/pending", get(|| async { pending::<()>().await }));
        let mut app: Router = app.layer(headcount::TrackLayer::new());
        let mut request = Box::pin(app.call(Request::get("/pending").body(Body::empty()).unwrap()));
        for _ in 0..3 {
            assert!(request.as_mut().poll(&mut context).is_pending());
            // The second is that of the request's own wait for the moment at which requests are cut.
            assert_eq!(Arc::strong_count(&wakes), 3);
        }
        drop(request);
        assert_eq!(Arc::strong_count(&wakes), 2);
    }
}

/// A task of an executor of its own, which its wakers own.
struct Owned(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Owned {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_future_that_another_executor_drops_is_dropped() {
    own_process!();
    let _hc = install();
    let guard = Arc::new(());
    let inner = Arc::clone(&guard);
    let future = headcount::task("owned").track(async move {
        pending::<()>().await;
        drop(inner);
    });
    let task = Arc::new(Owned(Mutex::new(Some(Box::pin(future)))));
    let waker = Waker::from(Arc::clone(&task));
    let polled = task.0.lock().unwrap().as_mut().unwrap().as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Pending);
    let id = id_of("owned");
    drop((waker, task));
    assert_eq!(Arc::strong_count(&guard), 1, "a waker of it is kept somewhere");
    assert!(headcount::stack(id).await.unwrap_err().is_unknown());
}

/// A module of the application in a file that is called as one of a library.
#[tokio::test]
async fn a_module_that_is_called_as_a_librarys_is_named() {
    own_process!();
    let _hc = install();
    let never = Arc::new(Notify::new());
    drop(headcount::task("own").spawn(named_like_a_library::waits(never)));
    let text = stack_of("own").await.text;
    assert!(text.contains("named_like_a_library::waits → notify::Notified"), "{text}");
    assert!(text.ends_with("fixtures/src/future/poll_fn.rs:5)"), "{text}");
}
