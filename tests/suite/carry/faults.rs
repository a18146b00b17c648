//! Carriers that panic, or do not do what they should: the task goes on, and it is counted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use headcount::carry::{self, Carried, Carrier, Spawn};
use headcount::{Headcount, Outcome, task};
use tokio::task::yield_now;

use crate::support::lines::Lines;

/// Where a carrier panics, or what it leaves out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Take,
    Before,
    After,
    Fields,
    End,
    Drop,
    NoPoll,
    TwoPolls,
}

struct Faulty(&'static str, Fault);

struct Load(Fault);

impl Carrier for Faulty {
    fn name(&self) -> &str {
        self.0
    }

    fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        assert!(self.1 != Fault::Take, "in take");
        Some(Box::new(Load(self.1)))
    }
}

impl Carried for Load {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        assert!(self.0 != Fault::Before, "before the poll");
        if self.0 == Fault::NoPoll {
            return;
        }
        poll();
        if self.0 == Fault::TwoPolls {
            poll();
        }
        assert!(self.0 != Fault::After, "after the poll");
    }

    fn fields(&self) -> Vec<(std::borrow::Cow<'static, str>, String)> {
        assert!(self.0 != Fault::Fields, "in fields");
        Vec::new()
    }

    fn end(&mut self, _: Outcome) {
        assert!(self.0 != Fault::End, "at the end");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        assert!(self.0 != Fault::Drop || std::thread::panicking(), "in drop");
    }
}

tokio::task_local! {
    static TENANT: u32;
}

/// One fault, between two carriers that work.
fn is_survived(fault: Fault, drops: u64) {
    let (lines, _guard) = Lines::capture();
    let hc = Headcount::builder()
        .admin(None)
        .signals(false)
        .carry(carry::span_link())
        .carry(Faulty("weak\nlink", fault))
        .carry(carry::task_local(&TENANT))
        .install()
        .unwrap();
    lines.take();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let polls = std::sync::Arc::new(AtomicUsize::new(0));
    runtime.block_on(TENANT.scope(5, async {
        for _ in 0..3 {
            let polled = std::sync::Arc::clone(&polls);
            let work = async move {
                polled.fetch_add(1, Ordering::Relaxed);
                let first = TENANT.get();
                yield_now().await;
                polled.fetch_add(1, Ordering::Relaxed);
                first + TENANT.get()
            };
            assert_eq!(task("mail").spawn(work).await.unwrap(), 10, "{fault:?}");
        }
        assert_eq!(headcount::spawn_blocking(|| TENANT.get()).await.unwrap(), 5, "{fault:?}");
    }));
    assert_eq!(polls.load(Ordering::Relaxed), 6, "each poll once, {fault:?}");
    let snapshot = headcount::snapshot();
    assert_eq!((snapshot.finished.ok, snapshot.finished.total()), (4, 4), "{fault:?}");
    assert_eq!(snapshot.carriers_dropped, drops, "{fault:?}");
    assert!(hc.render_metrics().contains(&format!("\nheadcount_carriers_dropped_total {drops}\n")));
    let warnings: Vec<_> = lines.take().into_iter().filter(|line| line.contains("carrier")).collect();
    let wanted = usize::from(drops != 0);
    assert_eq!(warnings.len(), wanted, "{warnings:#?}");
    assert!(warnings.iter().all(|line| line.contains(r"The carrier weak\nlink panicked")), "{warnings:#?}");
}

#[test]
fn in_take() {
    own_process!();
    is_survived(Fault::Take, 4);
}

/// Dropped at the first poll, it is not entered for the second.
#[test]
fn before_the_poll() {
    own_process!();
    is_survived(Fault::Before, 4);
}

#[test]
fn after_the_poll() {
    own_process!();
    is_survived(Fault::After, 4);
}

#[test]
fn in_fields() {
    own_process!();
    is_survived(Fault::Fields, 4);
}

#[test]
fn at_the_end() {
    own_process!();
    is_survived(Fault::End, 4);
}

#[test]
fn in_drop() {
    own_process!();
    is_survived(Fault::Drop, 4);
}

#[test]
fn without_a_poll() {
    own_process!();
    is_survived(Fault::NoPoll, 4);
}

#[test]
fn with_two_polls() {
    own_process!();
    is_survived(Fault::TwoPolls, 0);
}

/// A panic of the task is the task's, and no fault of what it carries.
#[tokio::test]
async fn a_panic_of_the_task_is_not_the_carriers() {
    own_process!();
    let _hc =
        Headcount::builder().admin(None).signals(false).carry(carry::task_local(&TENANT)).install().unwrap();
    TENANT
        .scope(5, async {
            let panicked = task("mail").spawn(async {
                yield_now().await;
                panic!("tenant {}", TENANT.get());
            });
            let payload = panicked.await.unwrap_err().into_panic();
            assert_eq!(payload.downcast_ref::<String>().unwrap(), "tenant 5");
        })
        .await;
    let snapshot = headcount::snapshot();
    assert_eq!((snapshot.finished.panic, snapshot.carriers_dropped), (1, 0));
}

/// Tracking is off, and a carrier that panics costs the task nothing all the same.
#[tokio::test]
async fn with_tracking_off() {
    own_process!("HEADCOUNT" = "off");
    let (lines, _guard) = Lines::capture();
    let builder = Headcount::builder().carry(Faulty("weak", Fault::Before)).carry(carry::task_local(&TENANT));
    let _hc = builder.install().unwrap();
    let found = TENANT.scope(5, async { task("mail").spawn(async { TENANT.get() }).await }).await;
    assert_eq!(found.unwrap(), 5);
    let warnings = lines.take().into_iter().filter(|line| line.contains("The carrier weak panicked")).count();
    assert_eq!(warnings, 1);
}

/// The process stops and refuses new tasks: what they would have carried is dropped.
#[tokio::test]
async fn a_task_that_is_refused() {
    own_process!();
    static IS_HELD: AtomicBool = AtomicBool::new(false);

    struct Holds;
    struct Held;
    impl Carrier for Holds {
        fn name(&self) -> &'static str {
            "holds"
        }

        fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
            IS_HELD.store(true, Ordering::Relaxed);
            Some(Box::new(Held))
        }
    }
    impl Carried for Held {
        fn enter(&mut self, poll: &mut dyn FnMut()) {
            poll();
        }
    }
    impl Drop for Held {
        fn drop(&mut self) {
            IS_HELD.store(false, Ordering::Relaxed);
        }
    }

    let refuse = headcount::settings::LateSpawns::Refuse;
    let hc =
        Headcount::builder().admin(None).signals(false).late_spawns(refuse).carry(Holds).install().unwrap();
    let waits = task("waits").spawn(async {
        headcount::draining().await;
        let refused = task("refused").spawn(async {});
        assert!(refused.await.unwrap_err().is_cancelled());
    });
    let report = hc.drain().await;
    waits.await.unwrap();
    assert_eq!(report.refused_spawns, 1);
    assert!(!IS_HELD.load(Ordering::Relaxed));
}
