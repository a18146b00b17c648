//! Random sequences of spawn, poll, wake, finish, error, panic, abort, drop and reading, on several threads
//! at once, against a plain model. One process, since the counts of all its tasks are compared.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use headcount::snapshot::{OutcomeCounts, TaskLookup, TaskQuery};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

const NAMES: [&str; 3] = ["random-a", "random-b", "random-c"];

/// What one thread does next. Numbers choose among its live tasks.
#[derive(Clone, Debug)]
enum Step {
    Spawn(usize),
    SpawnBlocking(usize),
    Track(usize),
    /// Polls a tracked future, or wakes a spawned one.
    Wake(usize),
    Finish(usize),
    Fail(usize),
    Panic(usize),
    /// Aborts a spawned task, drops a tracked one.
    Abort(usize),
    /// Told to finish and aborted at the same time: either.
    Race(usize),
    /// The handle goes, the task stays until its end.
    Detach(usize),
    Speak(usize),
    Read,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..3_usize).prop_map(Step::Spawn),
        1 => (0..3_usize).prop_map(Step::SpawnBlocking),
        3 => (0..3_usize).prop_map(Step::Track),
        5 => any::<usize>().prop_map(Step::Wake),
        2 => any::<usize>().prop_map(Step::Finish),
        2 => any::<usize>().prop_map(Step::Fail),
        2 => any::<usize>().prop_map(Step::Panic),
        2 => any::<usize>().prop_map(Step::Abort),
        1 => any::<usize>().prop_map(Step::Race),
        1 => any::<usize>().prop_map(Step::Detach),
        2 => any::<usize>().prop_map(Step::Speak),
        1 => Just(Step::Read),
    ];
    vec(step, 1..60)
}

#[derive(Clone, Copy, Debug, Default)]
enum Order {
    #[default]
    Wait,
    Speak,
    Finish,
    Fail,
    Panic,
}

/// A future that does as it is told.
#[derive(Clone, Default)]
struct Puppet(Arc<Mutex<(Order, Option<Waker>)>>);

impl Puppet {
    fn tell(&self, order: Order) {
        let mut strings = self.0.lock().unwrap();
        strings.0 = order;
        if let Some(waker) = strings.1.take() {
            waker.wake();
        }
    }
}

/// What a panic ordered is made of, so that the hook keeps silent about it.
struct Ordered;

impl Future for Puppet {
    type Output = Result<(), &'static str>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let order = {
            let mut strings = self.0.lock().unwrap();
            strings.1 = Some(context.waker().clone());
            strings.0
        };
        match order {
            Order::Wait => Poll::Pending,
            Order::Speak => {
                let task = headcount::current().unwrap();
                task.set_status("spoken");
                task.set_field("said", task.id());
                Poll::Pending
            }
            Order::Finish => Poll::Ready(Ok(())),
            Order::Fail => Poll::Ready(Err("told to")),
            Order::Panic => std::panic::panic_any(Ordered),
        }
    }
}

type Output = Result<(), &'static str>;

enum Live {
    Spawned(Puppet, JoinHandle<Output>),
    Tracked(Puppet, Pin<Box<headcount::Tracked<Puppet>>>),
}

/// One thread's tasks and the counts they should come to, by name.
#[derive(Default)]
struct Model {
    live: Vec<(usize, Live)>,
    spawned: [u64; 3],
    finished: [OutcomeCounts; 3],
    detached: Vec<Puppet>,
}

impl Model {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Spawn(name) => self.spawn(name),
            Step::Track(name) => self.track(name),
            Step::SpawnBlocking(name) => self.block(name),
            Step::Wake(which) => self.tell(which, Order::Wait),
            Step::Speak(which) => self.tell(which, Order::Speak),
            Step::Finish(which) => self.end(which, Order::Finish, false),
            Step::Fail(which) => self.end(which, Order::Fail, false),
            Step::Panic(which) => self.end(which, Order::Panic, false),
            Step::Race(which) => self.end(which, Order::Finish, true),
            Step::Abort(which) => self.end(which, Order::Wait, true),
            Step::Detach(which) => self.detach(which),
            Step::Read => read(),
        }
    }

    fn spawn(&mut self, name: usize) {
        let puppet = Puppet::default();
        let _entered = RUNTIME.enter();
        let handle = headcount::task(NAMES[name]).spawn_fallible(puppet.clone());
        self.spawned[name] += 1;
        self.live.push((name, Live::Spawned(puppet, handle)));
    }

    fn track(&mut self, name: usize) {
        let puppet = Puppet::default();
        let tracked = Box::pin(headcount::task(NAMES[name]).field("tracked", true).track(puppet.clone()));
        self.spawned[name] += 1;
        self.live.push((name, Live::Tracked(puppet, tracked)));
    }

    fn block(&mut self, name: usize) {
        let _entered = RUNTIME.enter();
        let closure = headcount::task(NAMES[name]).spawn_blocking(read);
        self.spawned[name] += 1;
        RUNTIME.block_on(closure).unwrap();
        self.finished[name].ok += 1;
    }

    fn tell(&mut self, which: usize, order: Order) {
        let count = self.live.len();
        match self.live.get_mut(which % count.max(1)) {
            Some((_, Live::Spawned(puppet, _))) => puppet.tell(order),
            Some((_, Live::Tracked(puppet, tracked))) => {
                puppet.tell(order);
                assert!(tracked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            None => {}
        }
    }

    fn take(&mut self, which: usize) -> Option<(usize, Live)> {
        let count = self.live.len();
        (0 < count).then(|| self.live.swap_remove(which % count))
    }

    fn end(&mut self, which: usize, order: Order, abort: bool) {
        let Some((name, live)) = self.take(which) else { return };
        let finished = &mut self.finished[name];
        match live {
            Live::Spawned(puppet, handle) => {
                puppet.tell(order);
                if abort {
                    handle.abort();
                }
                match RUNTIME.block_on(handle) {
                    Ok(Ok(())) => finished.ok += 1,
                    Ok(Err(_)) => finished.error += 1,
                    Err(error) if error.is_panic() => finished.panic += 1,
                    Err(_) => finished.cancelled += 1,
                }
            }
            Live::Tracked(puppet, mut tracked) => {
                puppet.tell(order);
                if abort {
                    finished.cancelled += 1;
                    return drop(tracked);
                }
                let poll = || tracked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                match std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)) {
                    // For one that is not fallible an `Err` is a value like any other.
                    Ok(poll) => {
                        assert!(poll.is_ready());
                        finished.ok += 1;
                    }
                    Err(_) => finished.panic += 1,
                }
            }
        }
    }

    fn detach(&mut self, which: usize) {
        match self.take(which) {
            Some((name, Live::Spawned(puppet, handle))) => {
                drop(handle);
                self.finished[name].ok += 1;
                self.detached.push(puppet);
            }
            // A tracked future has no handle to lose.
            kept => self.live.extend(kept),
        }
    }

    /// Ends all that is left, one in each way in turn.
    fn finish(&mut self) {
        for puppet in self.detached.drain(..) {
            puppet.tell(Order::Finish);
        }
        let ways = [Step::Finish(0), Step::Abort(0), Step::Panic(0), Step::Fail(0)];
        for way in ways.iter().cycle() {
            if self.live.is_empty() {
                return;
            }
            self.run(way);
        }
    }
}

fn groups() -> [(u64, OutcomeCounts, u64); 3] {
    let snapshot = headcount::snapshot();
    NAMES.map(|name| {
        let mut sum = (0, OutcomeCounts::default(), 0);
        for group in snapshot.groups.iter().filter(|group| &*group.name == name) {
            sum.0 += group.spawned;
            for &outcome in headcount::snapshot::Outcome::ALL {
                sum.1.add(outcome, group.finished.get(outcome));
            }
            sum.2 += group.live;
        }
        sum
    })
}

/// What must be true of every reading, whatever goes on meanwhile.
fn read() {
    let snapshot = headcount::snapshot();
    assert_eq!(snapshot.spawned, snapshot.finished.total() + snapshot.live);
    for group in &snapshot.groups {
        assert_eq!(group.spawned, group.finished.total() + group.live, "{}", group.name);
        let counted: u64 = group.durations.buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!(counted, group.finished.total(), "{}", group.name);
        assert!(group.blocked <= group.live);
    }
    let page = headcount::snapshot::tasks(&TaskQuery::default().limit(500)).unwrap();
    let mut ids: Vec<_> = page.items.iter().map(|task| task.id).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "a task twice on one page");
    if let Some(task) = page.items.first() {
        match headcount::snapshot::task(task.id).map(|details| details.task) {
            Some(TaskLookup::Live(same)) => assert_eq!((&same.name, same.parent), (&task.name, task.parent)),
            Some(TaskLookup::Finished(same)) => assert_eq!(same.task.name, task.name),
            _ => {}
        }
    }
}

/// Reads without a pause, and finds that no total goes backwards.
fn watch(done: &AtomicBool) {
    let mut last: Vec<(u64, u64, u64, std::time::Duration)> = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let snapshot = headcount::snapshot();
        for (place, group) in snapshot.groups.iter().enumerate() {
            assert_eq!(group.spawned, group.finished.total() + group.live);
            let now = (group.spawned, group.finished.total(), group.polls, group.busy);
            if let Some(last) = last.get_mut(place) {
                let (spawned, finished, polls, busy) = *last;
                let forward = spawned <= now.0 && finished <= now.1 && polls <= now.2 && busy <= now.3;
                assert!(forward, "{}: {last:?}, then {now:?}", group.name);
                *last = now;
            } else {
                last.push(now);
            }
        }
    }
}

fn silence_ordered_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Ordered>() {
                former(info);
            }
        }));
    });
}

#[test]
fn counts_are_those_of_the_model() {
    own_process!();
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(scripts in vec(steps(), 1..4))| {
        silence_ordered_panics();
        let before = groups();
        let done = AtomicBool::new(false);
        let models: Vec<Model> = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&done));
            let act = |script: Vec<Step>| move || {
                let mut model = Model::default();
                for step in &script {
                    model.run(step);
                }
                model.finish();
                model
            };
            let actors: Vec<_> = scripts.into_iter().map(|script| scope.spawn(act(script))).collect();
            let models = actors.into_iter().map(|actor| actor.join().unwrap()).collect();
            done.store(true, Ordering::Relaxed);
            watcher.join().unwrap();
            models
        });
        // Nobody joins the detached: they end by themselves.
        while groups().iter().any(|group| 0 < group.2) {
            std::thread::yield_now();
        }
        for (name, (now, before)) in groups().into_iter().zip(before).enumerate() {
            let spawned: u64 = models.iter().map(|model| model.spawned[name]).sum();
            prop_assert_eq!(now.0 - before.0, spawned);
            for &outcome in headcount::snapshot::Outcome::ALL {
                let expected: u64 = models.iter().map(|model| model.finished[name].get(outcome)).sum();
                prop_assert_eq!(now.1.get(outcome) - before.1.get(outcome), expected, "{} {}", NAMES[name], outcome);
            }
        }
        let left = headcount::snapshot::tasks(&TaskQuery::default().search("random-")).unwrap();
        prop_assert_eq!(left.total, 0);
        read();
    });
}
