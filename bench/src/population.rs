//! A million tasks that live and wait, for readers to read.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::places::spawn_from_a_place;
use crate::subject::{Headcount, Subject};

/// Groups that the tasks belong to.
pub const GROUPS: usize = 100;

/// Counts its first poll, and never ends; as large as its parameter says.
struct Waits<const LARGER: usize> {
    polled: Option<Arc<AtomicUsize>>,
    _padding: [u8; LARGER],
}

impl<const LARGER: usize> Future for Waits<LARGER> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if let Some(polled) = self.polled.take() {
            polled.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Pending
    }
}

/// Spawns about `count` tasks without a name through `subject`, and returns once each has been polled.
///
/// tokio rounds the memory of a task up to a multiple of 128 bytes, so one size of future would show a step
/// or hide it: these come in eight sizes, 16 bytes apart.
pub fn of_all_sizes(subject: impl Subject, runtime: &Runtime, count: usize) {
    of_size::<0>(subject, runtime, count / 8);
    of_size::<16>(subject, runtime, count / 8);
    of_size::<32>(subject, runtime, count / 8);
    of_size::<48>(subject, runtime, count / 8);
    of_size::<64>(subject, runtime, count / 8);
    of_size::<80>(subject, runtime, count / 8);
    of_size::<96>(subject, runtime, count / 8);
    of_size::<112>(subject, runtime, count / 8);
}

fn of_size<const LARGER: usize>(subject: impl Subject, runtime: &Runtime, count: usize) {
    settle::<LARGER>(runtime, count, |waits| drop(subject.spawn(waits)));
}

/// Spawns `count` tasks of headcount in [`GROUPS`] groups, and returns once each has been polled.
pub fn in_groups(runtime: &Runtime, count: usize) {
    let mut index = 0;
    settle::<0>(runtime, count, move |waits| {
        drop(spawn_from_a_place(Headcount, index % GROUPS, waits));
        index += 1;
    });
}

fn settle<const LARGER: usize>(runtime: &Runtime, count: usize, mut spawn: impl FnMut(Waits<LARGER>)) {
    let polled = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        for _ in 0..count {
            spawn(Waits { polled: Some(Arc::clone(&polled)), _padding: [0; LARGER] });
        }
        while polled.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}
