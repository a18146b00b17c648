//! Ten million spawns in a loop: memory flat, counts exact.

use crate::memory::resident;
use crate::report::{Goal, Report, Section};
use crate::runtime::{Flavor, on_a_worker};
use crate::settings::Settings;

pub fn run(settings: Settings) -> Report {
    let count = settings.scaled(10_000_000);
    let runtime = Flavor::MultiThread.build();
    let step = count / 10;
    let mut rows = Vec::new();
    let mut after = Vec::new();
    for tenth in 1..=10 {
        on_a_worker(&runtime, async move {
            for _ in 0..step {
                headcount::spawn(async {}).await.expect("the task ends");
            }
        });
        let snapshot = headcount::snapshot();
        assert_eq!(snapshot.spawned, (tenth * step) as u64, "every spawn is counted");
        assert_eq!(snapshot.finished.ok, (tenth * step) as u64, "every end is counted");
        assert_eq!(snapshot.live, 0, "none is left");
        after.push(resident());
        rows.push(vec![
            snapshot.spawned.to_string(),
            snapshot.finished.ok.to_string(),
            format!("{:.1}", resident()),
        ]);
    }
    Report {
        goals: vec![Goal::new(
            format!("{count} spawns: growth after the first tenth"),
            1.0,
            after[9] - after[0],
            "MiB",
        )],
        sections: vec![Section {
            title: format!("{count} spawns in a loop"),
            text: "No label, no name; the counts are compared with what was done.".to_owned(),
            head: ["spawned", "finished ok", "resident MiB"].map(str::to_owned).to_vec(),
            rows,
        }],
        ..Report::default()
    }
}
