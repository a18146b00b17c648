//! How much stack a spawn takes: an unoptimised build moves a future at each call, so a large one needs a box
//! in time.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, LocalSet};

use crate::support::alone::run_alone;

/// The stack of the thread that spawns, in bytes, and how it does.
const STACK: &str = "STACK_TEST_STACK";
const HOW: &str = "STACK_TEST_HOW";

/// A future of so many bytes.
struct Large<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Future for Large<SIZE> {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Ready(self.0[SIZE / 2])
    }
}

fn large<const SIZE: usize>() -> Large<SIZE> {
    Large([7; SIZE])
}

fn spawn_large<const SIZE: usize>(how: &str, runtime: &Runtime) -> u8 {
    let _entered = runtime.enter();
    let handle = match how {
        "tokio" => tokio::spawn(large::<SIZE>()),
        "spawn" => headcount::spawn(large::<SIZE>()),
        "spawn_on" => headcount::spawn_on(large::<SIZE>(), runtime.handle()),
        "builder" => headcount::task("large").field("size", SIZE).spawn(large::<SIZE>()),
        "site" => headcount::task!("large").spawn(large::<SIZE>()),
        "spawn_blocking" => {
            let large = large::<SIZE>();
            headcount::spawn_blocking(move || large.0[SIZE / 2])
        }
        "tokio_blocking" => {
            let large = large::<SIZE>();
            tokio::task::spawn_blocking(move || large.0[SIZE / 2])
        }
        _ => panic!("{how}: unknown"),
    };
    runtime.block_on(handle).unwrap()
}

/// What the searches below start, with little stack.
#[test]
fn a_spawn_with_the_stack_given() {
    own_process!();
    let (Ok(stack), Ok(how)) = (env::var(STACK), env::var(HOW)) else { return };
    let runtime = Builder::new_current_thread().build().unwrap();
    // So that only the spawn's own stack counts.
    assert_eq!(runtime.block_on(async { headcount::spawn(async { 1 }).await }).unwrap(), 1);
    let thread = thread::Builder::new().stack_size(stack.parse().unwrap());
    let spawned = thread.spawn(move || spawn_large::<200_000>(&how, &runtime)).unwrap();
    assert_eq!(spawned.join().unwrap(), 7);
}

fn is_enough(stack: usize, how: &str) -> bool {
    let variables = [(STACK, &*stack.to_string()), (HOW, how)];
    run_alone("stack::a_spawn_with_the_stack_given", &variables, Duration::from_secs(60)).is_ok()
}

/// The least stack that tokio needs, true to 4 kB.
fn needed_by(how: &str) -> usize {
    let (mut too_little, mut enough) = (100_000, 4_000_000);
    assert!(is_enough(enough, how), "{how} needs more than {enough} bytes");
    while 4_000 < enough - too_little {
        let middle = too_little.midpoint(enough);
        if is_enough(middle, how) {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    enough
}

#[test]
fn a_future_of_200_kb_needs_no_more_than_with_tokio() {
    own_process!();
    let tokio = needed_by("tokio");
    for how in ["spawn", "spawn_on", "builder", "site"] {
        assert!(is_enough(tokio + tokio / 10, how), "{how} needs more than 1.1 times {tokio} bytes");
    }
}

#[test]
fn a_closure_of_200_kb_needs_no_more_than_with_tokio() {
    own_process!();
    let tokio = needed_by("tokio_blocking");
    let allowed = tokio + tokio / 10;
    assert!(is_enough(allowed, "spawn_blocking"), "it needs more than 1.1 times {tokio} bytes");
}

/// As a worker with the default stack of 2 MiB spawns it.
#[test]
fn a_worker_spawns_a_future_of_400_kb() {
    own_process!();
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let on_a_worker = |spawn: fn() -> JoinHandle<u8>| {
        let spawned = runtime.block_on(async move { tokio::spawn(async move { spawn().await }).await });
        assert_eq!(spawned.unwrap().unwrap(), 7);
    };
    on_a_worker(|| headcount::spawn(large::<400_000>()));
    on_a_worker(|| headcount::task("large").spawn(large::<400_000>()));
    on_a_worker(|| headcount::task("large").field("size", 400_000).spawn(large::<400_000>()));
    on_a_worker(|| headcount::spawn_on(large::<400_000>(), &Handle::current()));
}

#[test]
fn a_local_future_of_400_kb() {
    own_process!();
    let local_tasks = || {
        let runtime = Builder::new_current_thread().build().unwrap();
        LocalSet::new()
            .block_on(&runtime, async { headcount::spawn_local(large::<400_000>()).await })
            .unwrap()
    };
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(local_tasks).unwrap();
    assert_eq!(thread.join().unwrap(), 7);
}
