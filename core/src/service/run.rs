//! One run of a service or timer: the factory is called inside of it, so that its panic is the run's.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::awaited::outcome_of;
use crate::current::note_failure;
use crate::lock::Mutex;
use crate::outcome::Outcome;
use crate::registry::carriers::Captured;
use crate::registry::end::storable_message;
use crate::registry::panicked::drop_contained;
use crate::registry::registry;
use crate::service::record::Ended;
use crate::spawn::{Run, TaskBuilder};

/// What a run of a [`service`](crate::service) or timer may give: nothing, `!`, or a `Result`, whose `Err` is
/// a failure.
pub trait RunOutput {
    /// The error, if it is one.
    fn failure(&self) -> Option<&dyn Display>;
}

impl RunOutput for () {
    fn failure(&self) -> Option<&dyn Display> {
        None
    }
}

/// The type of what never gives anything, such as an `async` block around a loop without end. Stable Rust
/// has no other name for it.
type Never = <fn() -> ! as Gives>::Output;

/// What a function gives.
#[doc(hidden)]
pub trait Gives {
    type Output;
}

impl<T> Gives for fn() -> T {
    type Output = T;
}

impl RunOutput for Never {
    fn failure(&self) -> Option<&dyn Display> {
        None
    }
}

impl<T, E: Display> RunOutput for Result<T, E> {
    fn failure(&self) -> Option<&dyn Display> {
        self.as_ref().err().map(|error| error as &dyn Display)
    }
}

/// Makes runs.
#[derive(Debug)]
pub(super) struct Runs<F> {
    pub(super) task: TaskBuilder,
    pub(super) factory: Arc<Mutex<F>>,
    pub(super) location: &'static Location<'static>,
    /// What each run carries.
    pub(super) captured: Mutex<Option<Captured>>,
}

/// A run that was handed to the runtime.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) at: Instant,
    pub(super) handle: JoinHandle<Result<(), String>>,
}

impl<F, R> Runs<F>
where
    F: FnMut() -> R + Send + 'static,
    R: Future + Send + 'static,
    R::Output: RunOutput,
{
    /// Begins one.
    pub(super) fn begin<const KIND: u64>(&self) -> (Option<Run>, Begun) {
        let factory = Arc::clone(&self.factory);
        let run = async move {
            let future = (factory.lock())();
            let output = future.await;
            match output.failure() {
                None => Ok(()),
                Some(error) => {
                    let text = text_of(error);
                    note_failure(&text);
                    Err(text)
                }
            }
        };
        let at = Instant::now();
        let mut run = Some(run);
        let mut spawn = || {
            let run = run.take().expect("each run is spawned once");
            self.task.clone().spawn_run::<_, KIND>(run, self.location)
        };
        let (run, handle) = match &mut *self.captured.lock() {
            None => spawn(),
            Some(captured) => {
                let mut spawned = None;
                captured.within(&mut || spawned = Some(spawn()));
                spawned.expect("it is spawned, whatever its carriers do")
            }
        };
        (run, Begun { at, handle })
    }
}

/// The text of an error. A panic in its `Display` is caught.
fn text_of(error: &dyn Display) -> String {
    let text = catch_unwind(AssertUnwindSafe(|| error.to_string()));
    text.unwrap_or_else(|_| "[no text: Display panicked]".to_owned())
}

impl Begun {
    /// How it ended.
    pub(super) fn ended(&self, joined: Result<Result<(), String>, JoinError>) -> Ended {
        let (outcome, text) = match joined {
            Ok(Ok(())) => (Outcome::Ok, None),
            Ok(Err(text)) => (Outcome::Error, Some(text)),
            Err(error) => (outcome_of(&error), panic_text(error)),
        };
        let message = text.map(|text| storable_message(registry(), &text));
        Ended { outcome, message, took: self.at.elapsed() }
    }
}

fn panic_text(error: JoinError) -> Option<String> {
    let payload = error.try_into_panic().ok()?;
    let text = payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    drop_contained(payload);
    text
}
