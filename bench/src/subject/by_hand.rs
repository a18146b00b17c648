//! What people write by hand: a `DashMap` of live tasks and four macros of `metrics`, with an exporter
//! installed.

use std::future::Future;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Subject;

const SECONDS: [f64; 12] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0];

static TASKS: LazyLock<DashMap<u64, Entry>> = LazyLock::new(DashMap::new);
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A map and macros.
#[derive(Clone, Copy)]
pub struct ByHand;

#[allow(dead_code)]
struct Entry {
    name: &'static str,
    provider: Option<&'static str>,
    place: &'static Location<'static>,
    started: Instant,
}

struct Guard(u64);

impl ByHand {
    /// Installs the exporter that the macros write to, and a thread that keeps its histograms from growing.
    pub fn install() {
        let exporter = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("buckets are not empty")
            .install_recorder()
            .expect("nothing else has installed a recorder");
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(100));
                exporter.run_upkeep();
            }
        });
    }

    #[track_caller]
    fn track<F: Future>(
        name: &'static str,
        provider: Option<&'static str>,
        future: F,
    ) -> impl Future<Output = F::Output> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { name, provider, place: Location::caller(), started: Instant::now() };
        count_spawn(&entry);
        TASKS.insert(id, entry);
        let guard = Guard(id);
        async move {
            let _guard = guard;
            future.await
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some((_, entry)) = TASKS.remove(&self.0) {
            count_end(&entry);
        }
    }
}

fn count_spawn(entry: &Entry) {
    let name = entry.name;
    match entry.provider {
        None => {
            counter!("tasks_spawned_total", "task" => name).increment(1);
            gauge!("tasks_live", "task" => name).increment(1.0);
        }
        Some(provider) => {
            counter!("tasks_spawned_total", "task" => name, "provider" => provider).increment(1);
            gauge!("tasks_live", "task" => name, "provider" => provider).increment(1.0);
        }
    }
}

fn count_end(entry: &Entry) {
    let name = entry.name;
    let seconds = entry.started.elapsed().as_secs_f64();
    match entry.provider {
        None => {
            gauge!("tasks_live", "task" => name).decrement(1.0);
            histogram!("task_duration_seconds", "task" => name).record(seconds);
        }
        Some(provider) => {
            gauge!("tasks_live", "task" => name, "provider" => provider).decrement(1.0);
            histogram!("task_duration_seconds", "task" => name, "provider" => provider).record(seconds);
        }
    }
}

impl Subject for ByHand {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named("task", future)
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.spawn(Self::track("task", None, future))
    }

    fn spawn_named<F>(self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(Self::track(name, None, future))
    }

    fn spawn_labelled<F>(self, name: &'static str, provider: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(Self::track(name, Some(provider), future))
    }
}
