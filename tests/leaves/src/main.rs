//! Tasks that wait in real parts, each asked where it waits: the function and the line of its await must come
//! back. `scripts/leaves` starts the servers that it needs and runs it.
//!
//! `leaves [NAME...]` prints what each answers, or those with one of these in their names; it fails where one
//! is wrong. `leaves --times` prints what asking takes.

mod net;
mod servers;
mod times;
mod tokio_parts;

use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use headcount::settings::Stacks;
use headcount::snapshot::TaskQuery;
use headcount::{Headcount, OnShutdown, StackResult, State, TaskId};

/// Longer than the program runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A task that waits, and the library that its line names last.
pub(crate) struct Leaf {
    name: &'static str,
    source: &'static str,
    file: &'static str,
    /// What the line says of the library behind the await.
    library: &'static str,
}

/// All leaves that were spawned.
#[derive(Default)]
pub(crate) struct Leaves(Vec<Leaf>);

impl Leaves {
    /// Spawns a leaf that is the function with this name in this file, for the caller's place.
    #[track_caller]
    pub(crate) fn spawn<F>(&mut self, leaf: Leaf, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        headcount::task(leaf.name).on_shutdown(OnShutdown::Detach).spawn(future);
        self.0.push(leaf);
    }
}

/// Spawns the function of this name with these arguments; the last text is what its line must hold.
macro_rules! leaf {
    ($leaves:expr, $name:ident($($argument:expr),*), $library:literal) => {
        $leaves.spawn($crate::leaf_of(stringify!($name), include_str!(concat!("../", file!())), file!(), $library), $name($($argument),*))
    };
}
pub(crate) use leaf;

pub(crate) const fn leaf_of(
    name: &'static str,
    source: &'static str,
    file: &'static str,
    library: &'static str,
) -> Leaf {
    Leaf { name, source, file, library }
}

impl Leaf {
    /// The line in the function that is marked.
    fn line(&self) -> usize {
        let lines: Vec<&str> = self.source.lines().collect();
        let head = format!("async fn {}(", self.name);
        let function = lines.iter().position(|line| line.starts_with(&head)).expect("a leaf is a function");
        function
            + 1
            + lines[function..].iter().position(|line| line.ends_with("// waits")).expect("a leaf is marked")
    }

    fn module(&self) -> &'static str {
        self.file.rsplit('/').next().and_then(|file| file.strip_suffix(".rs")).unwrap_or_default()
    }

    /// What is wrong with the line that a capture gave.
    fn problem(&self, text: &str) -> Option<String> {
        let function = format!("leaves::{}::{}", self.module(), self.name);
        let place = format!("({}:{})", self.file, self.line());
        let missing = [function, place].into_iter().find(|part| !text.contains(part));
        // An inlined function of a library is named by its file: `read::Read` or `util::read`.
        let is_named = text.to_lowercase().contains(&self.library.to_lowercase());
        missing.or_else(|| (!is_named).then(|| self.library.to_owned())).map(|part| format!("lacks {part}"))
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run())
}

async fn run() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let admin = SocketAddr::from(([127, 0, 0, 1], 0));
    let headcount = Headcount::builder().admin(admin).stacks(Stacks::Request).install().expect("headcount");
    if names.iter().any(|name| name == "--times") {
        times::print(headcount.admin_addr().expect("it listens")).await;
        std::process::exit(0);
    }
    let mut leaves = Leaves::default();
    tokio_parts::spawn(&mut leaves).await;
    net::spawn(&mut leaves).await;
    servers::spawn(&mut leaves).await;
    let is_asked = |leaf: &&Leaf| names.is_empty() || names.iter().any(|name| leaf.name.contains(&**name));
    let (mut asked, mut failed) = (0, 0);
    for leaf in leaves.0.iter().filter(is_asked) {
        asked += 1;
        let text = text_of(leaf.name).await;
        match leaf.problem(&text) {
            None => println!("ok      {:24} {text}", leaf.name),
            Some(problem) => {
                failed += 1;
                println!("FAILED  {:24} {problem}: {text}", leaf.name);
            }
        }
    }
    println!("{asked} of {} leaves asked, {failed} failed", leaves.0.len());
    // Threads of the blocking pool wait for ever: nothing is dropped.
    std::process::exit(i32::from(failed != 0 || (names.is_empty() && asked < 62)))
}

/// The oldest task of this name, once it waits.
pub(crate) async fn idle(name: &str) -> TaskId {
    loop {
        let page = headcount::snapshot::tasks(&TaskQuery::default().name(name)).expect("a page");
        match page.items.first().filter(|task| task.state == State::Idle) {
            Some(task) => return task.id,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Where a task waits, once its answer is the same twice: connections take a while to be made. Some answers
/// come in another order each time.
async fn text_of(name: &str) -> String {
    const SETTLES: Duration = Duration::from_secs(5);
    let (began, mut first, mut last) = (Instant::now(), None::<Instant>, String::new());
    while began.elapsed() < Duration::from_secs(60) && first.is_none_or(|first| first.elapsed() < SETTLES) {
        let page = headcount::snapshot::tasks(&TaskQuery::default().name(name)).expect("a page");
        let Some(task) = page.items.first() else { return "has ended".to_owned() };
        if task.state == State::Idle && Duration::from_millis(300) < task.state_for {
            match headcount::stack(task.id).await {
                // On a busy machine the runtime may not have polled it in time.
                Ok(stack) if stack.result != StackResult::Waits => last = stack.text,
                Ok(stack) if stack.text == last => return last,
                Ok(stack) => {
                    first.get_or_insert_with(Instant::now);
                    last = stack.text;
                }
                Err(problem) if problem.is_busy() => {}
                Err(problem) => return problem.to_string(),
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    last
}
