//! Spawn and await under a name, under a name and a label with few values, and from a static site with both.

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
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    Named,
    Labelled,
    Site,
}

impl Measure for Named {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let (tasks, how) = (self.tasks, self.how);
        on_a_worker(&self.runtime, async move {
            let start = Instant::now();
            for index in 0..tasks {
                let handle = match how {
                    How::Named => subject.spawn_named("send-email", async {}),
                    How::Labelled => {
                        subject.spawn_labelled("send-email", PROVIDERS[index % PROVIDERS.len()], async {})
                    }
                    How::Site => subject.spawn_site(async {}),
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
    let ways = [("named", How::Named), ("named, one label", How::Labelled), ("a static site", How::Site)];
    let column = |(head, how)| {
        let what = Named { runtime: Flavor::MultiThread.build(), tasks, how };
        column(TABLE, head, Compare::Ratio, &what, settings)
    };
    let columns = ways.map(column).into();
    Report { columns, ..Report::default() }
}
