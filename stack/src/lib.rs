//! A waker that writes down where a future waits.
//!
//! A future that cannot go on clones the waker it was polled with, because something must wake it later.
//! [`watch`] polls with a waker of its own, whose `clone` writes the instruction pointers between the poll
//! and the clone to a [`Buffer`], and returns a clone of the real waker. The future keeps nothing else.
//!
//! The clone runs under whatever lock the future holds. It writes to memory that was prepared before: no
//! allocation, no lock, no log, no code of users. `tests/allocations.rs` counts the calls of `malloc` and
//! the like meanwhile.
//!
//! [`resolve`] names an instruction pointer, later and on another thread. [`Shared`] is a cell of one
//! thread that others may read, for the task that the thread polls.
//!
//! # `unsafe`
//!
//! Three things need it, and each block says why it is sound: the vtable of the waker reads the hook behind
//! the waker's pointer; the trace takes no lock; the reader of [`Shared`] cells reads those of other
//! threads.
//!
//! Two things are shared between threads, and the loom models in `model` explore both: a [`Buffer`], which is
//! handed over, and the list of the cells. Asking, waking, capturing and ending are the protocol of
//! `headcount-core`, in its `stacks/mod.rs`, with models of their own. The tests run under valgrind.

mod buffer;
#[cfg(all(test, headcount_loom))]
mod model;
mod shared;
mod symbols;
mod sync;
#[cfg(target_os = "linux")]
mod table;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod walk;

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

pub use buffer::Buffer;
pub use shared::{Shared, Thread, publish, threads};
pub use symbols::{Symbol, module_of, resolve};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use walk::Walker;

/// Where the sources of this crate are, as the debug information has it.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

/// What the waker's pointer points at: a local variable of [`watch`].
struct Hook<'a> {
    waker: &'a Waker,
    buffer: &'a Buffer,
    /// The thread that polls.
    thread: usize,
    _not_send: PhantomData<*const ()>,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, forget);

/// Polls with a waker whose clones write the stack to the buffer. Frames outside of this call are left out.
///
/// `poll` gets the waker by reference. Whatever it clones is a clone of `waker`, so nothing of this call
/// outlives it.
#[inline(never)]
pub fn watch<R>(waker: &Waker, buffer: &Buffer, poll: impl FnOnce(&Waker) -> R) -> R {
    let hook = Hook { waker, buffer, thread: here(), _not_send: PhantomData };
    let data: *const Hook<'_> = &raw const hook;
    buffer.begin(data.addr());
    // SAFETY: the functions of the vtable take a pointer to a `Hook` that lives. `hook` lives to the end of
    // this function, and the waker is not dropped and not given away: `poll` has a reference that ends with
    // the call, and a clone of it is another waker. The functions may run on any thread, since all that they
    // touch of the hook is a `Waker`, atomics and a number.
    let watched = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data.cast(), &VTABLE)) });
    poll(&watched)
}

fn clone(data: *const ()) -> RawWaker {
    // SAFETY: see `hook`.
    let hook = unsafe { hook(data) };
    if hook.thread == here() {
        write_stack(hook.buffer);
    } else {
        // Another thread's stack does not lead to the poll.
        hook.buffer.count_dropped();
    }
    let waker = ManuallyDrop::new(hook.waker.clone());
    RawWaker::new(waker.data(), waker.vtable())
}

/// Never called: nothing owns a waker with this vtable.
fn wake(data: *const ()) {
    wake_by_ref(data);
}

fn wake_by_ref(data: *const ()) {
    // SAFETY: see `hook`.
    let hook = unsafe { hook(data) };
    hook.waker.wake_by_ref();
}

/// Never called either, and there is nothing to drop.
fn forget(_: *const ()) {}

/// The hook behind a waker's pointer.
///
/// # Safety
///
/// The pointer is that of a waker made by [`watch`], and its call to `poll` has not returned.
unsafe fn hook<'a>(data: *const ()) -> &'a Hook<'a> {
    // SAFETY: by the contract above it points at a `Hook` that lives, which nothing changes.
    unsafe { &*data.cast::<Hook<'a>>() }
}

/// Writes the instruction pointers from here up to the poll.
fn write_stack(buffer: &Buffer) {
    let Some(mut stack) = buffer.open() else { return };
    let mut write = |frame: &backtrace::Frame| stack.write(frame.ip().addr(), frame.sp().addr());
    #[cfg(not(windows))]
    // SAFETY: without the lock of `trace`, no other thread may use dbghelp of Windows, which is not there.
    // Elsewhere the trace reads the unwind tables and this thread's own stack.
    unsafe {
        backtrace::trace_unsynchronized(&mut write);
    }
    #[cfg(windows)]
    backtrace::trace(&mut write);
    stack.close();
}

/// A number of this thread that no other thread has while it lives.
fn here() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    // While the thread ends it polls nothing that is watched.
    HERE.try_with(|here| ptr::from_ref(here).addr()).unwrap_or(0)
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits by keeping wakers, as a leaf does.
    struct Leaf<'a>(&'a mut Vec<Waker>);

    impl Future for Leaf<'_> {
        type Output = ();

        #[inline(never)]
        fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.0.push(context.waker().clone());
            Poll::Pending
        }
    }

    #[inline(never)]
    async fn outer(kept: &mut Vec<Waker>) {
        Leaf(kept).await;
    }

    fn names(stack: &[usize]) -> Vec<String> {
        let mut names = Vec::new();
        for ip in stack {
            resolve(*ip, |symbol| names.push(symbol.whole_name.or(symbol.name).unwrap_or_default()));
        }
        names
    }

    #[test]
    fn a_clone_writes_the_stack_and_is_the_real_waker() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let (buffer, mut kept) = (Buffer::new(), Vec::new());
        {
            let mut future = pin!(outer(&mut kept));
            let poll = watch(&waker, &buffer, |waker| future.as_mut().poll(&mut Context::from_waker(waker)));
            assert!(poll.is_pending());
        }
        assert!(kept[0].will_wake(&waker));
        kept.remove(0).wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        let stacks: Vec<_> = buffer.stacks().collect();
        assert_eq!((stacks.len(), buffer.dropped()), (1, 0));
        let names = names(&stacks[0]);
        let place = |part: &str| names.iter().position(|name| name.contains(part));
        let (leaf, outer) = (place("Leaf"), place("::outer"));
        assert!(leaf.is_some() && leaf < outer, "{names:#?}");
        // What is outside of the call is not there.
        assert!(place("a_clone_writes_the_stack_and_is_the_real_waker").is_none_or(|at| outer < Some(at)));
        assert!(place("std::rt::").is_none() && place("test::run").is_none(), "{names:#?}");
    }

    #[test]
    fn a_clone_on_another_thread_is_counted_and_not_written() {
        let waker = Waker::from(Arc::new(Count::default()));
        let buffer = Buffer::new();
        watch(&waker, &buffer, |waker| {
            std::thread::scope(|scope| drop(scope.spawn(|| waker.clone()).join().unwrap()));
            waker.wake_by_ref();
        });
        assert_eq!((buffer.stacks().count(), buffer.dropped()), (0, 1));
    }

    #[test]
    fn stacks_beyond_the_buffer_are_counted() {
        let waker = Waker::from(Arc::new(Count::default()));
        let buffer = Buffer::new();
        watch(&waker, &buffer, |waker| (0..10_000).for_each(|_| drop(waker.clone())));
        let stacks = buffer.stacks().count() as u64;
        assert!(0 < stacks && 0 < buffer.dropped());
        assert_eq!(stacks + buffer.dropped(), 10_000);
        buffer.clear();
        assert_eq!((buffer.stacks().count(), buffer.dropped()), (0, 0));
    }

    #[inline(never)]
    fn deep(depth: usize, waker: &Waker) -> usize {
        if depth == 0 {
            drop(waker.clone());
            return 0;
        }
        std::hint::black_box(deep(depth - 1, waker) + 1)
    }

    #[test]
    fn a_deep_stack_keeps_its_leaf_and_says_that_it_was_cut() {
        let waker = Waker::from(Arc::new(Count::default()));
        let buffer = Buffer::new();
        watch(&waker, &buffer, |waker| deep(1_000, waker));
        assert_eq!(buffer.stacks().next().map(|stack| stack.len()), Some(buffer::MOST_FRAMES));
        assert_eq!(buffer.cut(), 1);
    }

    /// Also run under valgrind: a poll that panics leaves nothing behind.
    #[test]
    fn a_panic_passes_through() {
        let waker = Waker::from(Arc::new(Count::default()));
        let buffer = Buffer::new();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watch(&waker, &buffer, |waker| {
                drop(waker.clone());
                panic!("on purpose")
            })
        }));
        assert!(panic.is_err());
        assert_eq!(buffer.stacks().count(), 1);
    }

    static RUDE: RawWakerVTable = RawWakerVTable::new(rude_clone, rude_wake, rude_wake, |_| {});
    static RUDE_WAKES: AtomicUsize = AtomicUsize::new(0);

    fn rude_wake(_: *const ()) {
        RUDE_WAKES.fetch_add(1, Ordering::Relaxed);
    }

    /// Wakes, and panics where it has data.
    fn rude_clone(data: *const ()) -> RawWaker {
        rude_wake(data);
        assert!(data.is_null(), "on purpose");
        RawWaker::new(data, &RUDE)
    }

    /// Wakers of other executors run their code in `clone`: what it does is done once, and a panic passes.
    #[test]
    fn a_real_waker_whose_clone_wakes_or_panics() {
        // SAFETY: its functions use no memory.
        let rude = |data: *const ()| unsafe { Waker::from_raw(RawWaker::new(data, &RUDE)) };
        let (wakes, panics) = (rude(ptr::null()), rude(ptr::dangling::<u8>().cast()));
        let buffer = Buffer::new();
        let clone = watch(&wakes, &buffer, Waker::clone);
        assert!(clone.will_wake(&wakes));
        assert_eq!((RUDE_WAKES.load(Ordering::Relaxed), buffer.stacks().count()), (1, 1));
        buffer.clear();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watch(&panics, &buffer, |waker| drop(waker.clone()));
        }));
        assert!(panic.is_err());
        // Written before the real clone, and as whole as any other.
        assert_eq!(buffer.stacks().count(), 1);
        let again = watch(&wakes, &buffer, Waker::clone);
        assert!(again.will_wake(&wakes) && buffer.stacks().count() == 2);
    }

    /// `cargo test --release -p headcount-stack -- --nocapture a_capture` prints the figure.
    #[test]
    fn a_capture_of_forty_frames_takes_microseconds() {
        let waker = Waker::from(Arc::new(Count::default()));
        let buffer = Buffer::new();
        let mut times: Vec<_> = (0..200)
            .map(|_| {
                buffer.clear();
                let began = std::time::Instant::now();
                watch(&waker, &buffer, |waker| deep(38, waker));
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("{} frames: {:?}", buffer.stacks().next().map_or(0, |stack| stack.len()), times[100]);
        // The bound is 20 µs in a release build on a quiet machine; this one holds on any.
        assert!(times[100] < std::time::Duration::from_millis(20), "{:?}", times[100]);
    }
}
