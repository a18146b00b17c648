//! Four tasks a worker that yield, again and again: what a poll costs the worker.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::report::{Compare, Report};
use crate::rounds::{Measure, column};
use crate::runtime::{Flavor, on_a_worker};
use crate::settings::Settings;
use crate::subject::{ByHand, Subject};

/// Wakes itself and gives way, as many times as it holds.
pub struct Yields(pub usize);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

const TASKS: usize = 4;

struct Polls {
    runtime: Runtime,
    polls: usize,
}

impl Measure for Polls {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let polls = self.polls;
        let workers = self.runtime.metrics().num_workers();
        on_a_worker(&self.runtime, async move {
            let start = Instant::now();
            let tasks: Vec<_> = (0..TASKS * workers).map(|_| subject.spawn(Yields(polls))).collect();
            for task in tasks {
                task.await.expect("the task ends");
            }
            start.elapsed().as_nanos() as f64 / (TASKS * polls) as f64
        })
    }
}

pub fn run(settings: Settings) -> Report {
    ByHand::install();
    let mut report = Report::default();
    for flavor in Flavor::ALL {
        let what = Polls { runtime: flavor.build(), polls: settings.scaled(250_000) };
        let column = column(flavor.title(), "per poll", Compare::Difference, &what, settings);
        if flavor == Flavor::MultiThread {
            report.goals.extend(column.goal("more per poll", 10.0, "ns"));
        }
        report.columns.push(column);
    }
    report
}
