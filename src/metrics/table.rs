//! Every family that headcount measures, once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::figures::Figures;
use super::series::{Histogram, Series};
use crate::snapshot::OutcomeCounts;

/// One family of metrics.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) values: Values,
}

/// Of what type a family is, and where its values are.
pub(super) enum Values {
    Counter(fn(&Series) -> u64),
    /// A counter that only some groups have.
    SomeCounter(fn(&Series) -> Option<u64>),
    /// A gauge that only some groups have.
    SomeGauge(fn(&Series) -> Option<f64>),
    /// A counter with the label `outcome`.
    Outcomes(fn(&Series) -> &OutcomeCounts),
    /// A counter of seconds; a growing gauge on the facade, whose counters are integers.
    Seconds(fn(&Series) -> Duration),
    Gauge(fn(&Series) -> Option<f64>),
    /// A counter with a further label, of those groups alone that have one.
    Labelled(&'static str, fn(&Series) -> &[(&'static str, u64)]),
    /// With the label `outcome` where the setting says so.
    Histogram(fn(&Series) -> &[Histogram]),
    ProcessCounter(fn(&Figures) -> u64),
    ProcessGauge(fn(&Figures) -> Option<f64>),
}

pub(super) const TABLE: &[Family] = &[
    Family {
        name: "headcount_tasks_spawned_total",
        help: "Tasks spawned.",
        values: Values::Counter(|series| series.spawned),
    },
    Family {
        name: "headcount_tasks_finished_total",
        help: "Tasks finished, by how they ended.",
        values: Values::Outcomes(|series| &series.finished),
    },
    Family {
        name: "headcount_tasks_live",
        help: "Tasks alive.",
        values: Values::Gauge(|series| Some(series.live as f64)),
    },
    Family {
        name: "headcount_tasks_blocked",
        help: "Tasks that have been in one poll for longer than blocked_after.",
        values: Values::Gauge(|series| Some(series.blocked as f64)),
    },
    Family {
        name: "headcount_task_duration_seconds",
        help: "Duration of finished tasks, from spawn to end.",
        values: Values::Histogram(|series| &series.histograms),
    },
    Family {
        name: "headcount_task_busy_seconds_total",
        help: "Time spent in polls and closures.",
        values: Values::Seconds(|series| series.busy),
    },
    Family {
        name: "headcount_task_polls_total",
        help: "Polls begun.",
        values: Values::Counter(|series| series.polls),
    },
    Family {
        name: "headcount_task_slow_polls_total",
        help: "Polls that took longer than slow_poll.",
        values: Values::Counter(|series| series.slow_polls),
    },
    Family {
        name: "headcount_task_oldest_start_timestamp_seconds",
        help: "Unix time at which the oldest live task was spawned; absent while none lives.",
        values: Values::Gauge(|series| series.oldest.map(timestamp)),
    },
    Family {
        name: "headcount_service_up",
        help: "Services with a live run; 0 while a service backs off, has failed or has ended.",
        values: Values::SomeGauge(|series| series.service_up.map(|count| count as f64)),
    },
    Family {
        name: "headcount_service_restarts_total",
        help: "Restarts of services.",
        values: Values::SomeCounter(|series| series.service_restarts),
    },
    Family {
        name: "headcount_timer_last_success_timestamp_seconds",
        help: "When a run of the timer last ended as ok; absent before the first.",
        values: Values::SomeGauge(|series| series.timer_last_success.map(timestamp)),
    },
    Family {
        name: "headcount_timer_skipped_total",
        help: "Ticks that were missed because a run was alive, or nothing ran.",
        values: Values::SomeCounter(|series| series.timer_skipped),
    },
    Family {
        name: "headcount_shutdown_abandoned_total",
        help: "Tasks that the shutdown abandoned.",
        values: Values::Counter(|series| series.abandoned),
    },
    Family {
        name: "headcount_tasks_limited",
        help: "Tasks that wait for their limit or key; only for groups with a limit, key or timeout.",
        values: Values::SomeGauge(|series| series.limited.map(|count| count as f64)),
    },
    Family {
        name: "headcount_tasks_rejected_total",
        help: "Tasks that were not admitted, by the reason; only for groups with a limit, key or timeout.",
        values: Values::Labelled("reason", |series| &series.rejected),
    },
    Family {
        name: "headcount_task_limited_seconds",
        help: "How long tasks waited for their limit or key; tasks that did not wait are not counted. Only for groups with a limit, key or timeout.",
        values: Values::Histogram(|series| &series.waits),
    },
    Family {
        name: "headcount_tasks_untracked",
        help: "Approximate number of runtime tasks not tracked by headcount: connections, pools, plain tokio::spawn.",
        values: Values::ProcessGauge(|figures| figures.untracked.map(|count| count as f64)),
    },
    Family {
        name: "headcount_groups_overflowed_total",
        help: "Spawns counted as __other__ because the table of groups had no room (max_groups).",
        values: Values::ProcessCounter(|figures| figures.groups_overflowed),
    },
    Family {
        name: "headcount_history_dropped_total",
        help: "Finished tasks dropped from the history.",
        values: Values::ProcessCounter(|figures| figures.history_dropped),
    },
    Family {
        name: "headcount_sse_dropped_total",
        help: "Events that slow clients of the dashboard missed.",
        values: Values::ProcessCounter(|figures| figures.events_dropped),
    },
    Family {
        name: "headcount_late_spawns_total",
        help: "Tasks spawned after draining began.",
        values: Values::ProcessCounter(|figures| figures.late_spawns),
    },
    Family {
        name: "headcount_log_lines_suppressed_total",
        help: "Log lines of panics and errors held back in a storm.",
        values: Values::ProcessCounter(|figures| figures.log_lines_suppressed),
    },
    Family {
        name: "headcount_start_timestamp_seconds",
        help: "When headcount was installed.",
        values: Values::ProcessGauge(|figures| Some(timestamp(figures.started_at))),
    },
    Family {
        name: "headcount_carriers_dropped_total",
        help: "Carried values lost because their carrier panicked.",
        values: Values::ProcessCounter(|figures| figures.carriers_dropped),
    },
    Family {
        name: "headcount_shutdown_stage",
        help: "0 running, 1 announcing, 2 draining, 3 aborting, 4 lingering, 5 done.",
        values: Values::ProcessGauge(|figures| Some(f64::from(figures.stage))),
    },
    Family {
        name: "headcount_shutdown_duration_seconds",
        help: "How long the shutdown has taken, lingering left out; 0 if no shutdown has begun.",
        values: Values::ProcessGauge(|figures| {
            Some(figures.stop_took.map_or(0.0, |took| took.as_secs_f64()))
        }),
    },
    Family {
        name: "headcount_shutdown_deadline_timestamp_seconds",
        help: "When remaining tasks are aborted; 0 if no shutdown has begun or it has no deadline.",
        values: Values::ProcessGauge(|figures| Some(figures.deadline.map_or(0.0, timestamp))),
    },
    Family {
        name: "headcount_shutdown_pending_tasks",
        help: "Tasks that the shutdown waits for.",
        values: Values::ProcessGauge(|figures| Some(figures.pending as f64)),
    },
    Family {
        name: "headcount_stop_forecast_seconds",
        help: "Seconds until a stop would likely be over if it began now; absent where nothing is known.",
        values: Values::ProcessGauge(|figures| figures.stop_forecast),
    },
    Family {
        name: "headcount_stop_expected_abandoned",
        help: "Tasks that a stop would abandon on average if it began now, unknown ones left out.",
        values: Values::ProcessGauge(|figures| Some(figures.expected_abandoned)),
    },
];

pub(super) fn timestamp(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::name::RESERVED_KEYS;

    use super::{TABLE, Values};

    /// A sample with a label twice would cost the whole scrape.
    #[test]
    fn no_label_of_a_task_can_be_one_of_the_table() {
        for family in TABLE {
            if let Values::Labelled(label, _) = family.values {
                assert!(RESERVED_KEYS.contains(&label), "{}: {label}", family.name);
            }
        }
    }
}
