//! What the programs share: they print their state once they have worked, and end as their shutdown says.

use headcount::{Headcount, Report};

/// Prints the live tasks by name and those that are not tracked, waits for the signal, and drains.
pub async fn until_stopped(headcount: &Headcount) -> Report {
    let snapshot = headcount::snapshot();
    let live = |group: &&headcount::snapshot::GroupInfo| 0 < group.live;
    let names: Vec<_> = snapshot.groups.iter().filter(live).map(|group| format!("{} ×{}", group.name, group.live)).collect();
    let metrics = headcount.render_metrics();
    let untracked = metrics.lines().find_map(|line| line.strip_prefix("headcount_tasks_untracked "));
    println!("ready\t{}\t{}", untracked.unwrap_or("none"), names.join(", "));
    headcount.draining().await;
    headcount.drain().await
}
