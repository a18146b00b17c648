//! Spawn and await under a name, and under a name and a label with few values.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::report::{Compare, Report};
use crate::rounds::{Measure, column};
use crate::runtime::{Flavor, on_a_worker};
use crate::settings::Settings;
use crate::subject::{ByHand, Subject};

const TABLE: &str = "Named and labelled tasks, multi-thread runtime";
const PROVIDERS: [&str; 4] = ["ses", "smtp", "sendgrid", "mailgun"];

struct Named {
    runtime: Runtime,
    tasks: usize,
    labelled: bool,
}

impl Measure for Named {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let (tasks, labelled) = (self.tasks, self.labelled);
        on_a_worker(&self.runtime, async move {
            let start = Instant::now();
            for index in 0..tasks {
                let handle = if labelled {
                    subject.spawn_labelled("send-email", PROVIDERS[index % PROVIDERS.len()], async {})
                } else {
                    subject.spawn_named("send-email", async {})
                };
                handle.await.expect("the task ends");
            }
            start.elapsed().as_nanos() as f64 / tasks as f64
        })
    }
}

pub fn run(settings: Settings) -> Report {
    ByHand::install();
    let tasks = settings.scaled(100_000);
    let named = Named { runtime: Flavor::MultiThread.build(), tasks, labelled: false };
    let labelled = Named { labelled: true, runtime: Flavor::MultiThread.build(), tasks };
    let columns = vec![
        column(TABLE, "named", Compare::Ratio, &named, settings),
        column(TABLE, "named, one label", Compare::Ratio, &labelled, settings),
    ];
    Report { columns, ..Report::default() }
}
