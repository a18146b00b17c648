//! What the public types are, and what a tracked future passes on of its future.

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use headcount::snapshot::{FinishedTask, Page, TaskDetails, TaskInfo, TaskQuery};
use headcount::{Error, OnShutdown, Snapshot, TaskBuilder, TaskHandle, Tracked};

/// Asks a type for a trait without demanding it: the inherent constant is there only if the bound holds.
macro_rules! is {
    ($type:ty: $($bound:tt)+) => {{
        struct Probe<T: ?Sized>(PhantomData<T>);
        #[allow(dead_code, reason = "one of the two is used")]
        trait Fallback {
            const HOLDS: bool = false;
        }
        impl<T: ?Sized> Fallback for Probe<T> {}
        #[allow(dead_code, reason = "one of the two is used")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const HOLDS: bool = true;
        }
        <Probe<$type>>::HOLDS
    }};
}

macro_rules! table {
    ($($type:ty: $send:literal $sync:literal $unpin:literal $unwind:literal $ref_unwind:literal;)*) => {
        $(
            let found = (
                is!($type: Send),
                is!($type: Sync),
                is!($type: Unpin),
                is!($type: UnwindSafe),
                is!($type: RefUnwindSafe),
            );
            let expected = ($send, $sync, $unpin, $unwind, $ref_unwind);
            assert_eq!(found, expected, "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe of {}", stringify!($type));
        )*
    };
}

type Plain = std::future::Ready<u32>;
type Local = PhantomData<Rc<Cell<u32>>>;
type NotSync = PhantomData<Cell<u32>>;
type UnwindUnsafe = PhantomData<&'static mut u32>;

#[test]
fn public_types_are_what_they_should_be() {
    own_process!();
    table! {
        // type:                 Send  Sync  Unpin UnwindSafe RefUnwindSafe
        Tracked<Plain>:          true  true  true  true  true;
        Tracked<Local>:          false false true  false false;
        Tracked<NotSync>:        true  false true  true  false;
        Tracked<PhantomPinned>:  true  true  false true  true;
        Tracked<UnwindUnsafe>:   true  true  true  false true;
        TaskBuilder:             true  true  true  false false;
        TaskHandle:              true  true  true  true  true;
        Snapshot:                true  true  true  true  true;
        TaskInfo:                true  true  true  true  true;
        TaskDetails:             true  true  true  true  true;
        FinishedTask:            true  true  true  true  true;
        Page<TaskInfo>:          true  true  true  true  true;
        TaskQuery:               true  true  true  true  true;
        OnShutdown:              true  true  true  true  true;
        Error:                   true  true  true  true  true;
        headcount::Builder:      true  true  true  false false;
        headcount::Headcount:    true  true  true  false false;
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn futures_of_ours_are_send() {
    own_process!();
    is_send(headcount::idle()).await;
    is_send(headcount::testing::assert_no_leaks(async {})).await;
    is_send(headcount::track(async {})).await;
}

/// Its task and span, and the runtime's task that it lives in.
#[test]
fn tracking_costs_five_words() {
    own_process!();
    assert_eq!(size_of::<Tracked<[usize; 4]>>(), 9 * size_of::<usize>());
}

#[cfg(feature = "serde")]
#[tokio::test]
async fn a_snapshot_serializes() {
    own_process!();
    let task = headcount::task("email").label("provider", "ses").spawn(std::future::pending::<()>());
    let snapshot = serde_json::to_value(headcount::snapshot()).unwrap();
    let group = &snapshot["groups"][0];
    assert_eq!(
        (&group["name"], &group["live"], &group["kind"]),
        (&"email".into(), &1.into(), &"task".into())
    );
    assert_eq!(group["labels"]["provider"], "ses");
    let page = headcount::snapshot::tasks(&headcount::snapshot::TaskQuery::default()).unwrap();
    assert_eq!(serde_json::to_value(&page).unwrap()["items"][0]["state"], "queued");
    task.abort();
}
