//! What the migration makes of a file compiles, without an import too many, and runs.

use std::time::Duration;

#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    unreachable_pub,
    unused_must_use,
    missing_debug_implementations
)]
mod before {
    include!("fixtures/before.rs");
}

#[deny(unused_imports)]
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    unreachable_pub,
    unused_must_use,
    missing_debug_implementations
)]
mod after {
    include!("fixtures/after.rs");
}

fn run(main: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), main).await.expect("ends") });
}

#[test]
fn only_the_migrated_file_has_tracked_tasks() {
    run(before::main());
    let spawned =
        |snapshot: headcount_core::Snapshot| snapshot.groups.iter().map(|group| group.spawned).sum::<u64>();
    // One task of the file was tracked from the start.
    assert_eq!(spawned(headcount_core::snapshot()), 1);
    run(after::main());
    assert!(30 < spawned(headcount_core::snapshot()));
}
