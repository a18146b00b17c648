//! All tasks together: what will be done when, what will be cut, and what is unknown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lifetimes::Lifetimes;
use super::load::Load;
use super::outlook::{Ending, Outlook, Terms, Unknown, Waited};
use super::words;

/// Tasks or groups that each list of a forecast names.
const NAMED: usize = 20;

/// A chance that counts as likely.
const LIKELY: f64 = 0.5;

/// The bounds of the band: nine of ten stops end in it.
const BAND: (f64, f64) = (0.05, 0.95);

/// Longer than anything that is waited for, in seconds.
const FOREVER: f64 = 1e8;

/// When a stop will be over, and what it will cost. Times in seconds from now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Forecast {
    /// The time that the stop has; `None` without a deadline.
    pub(crate) within: Option<f64>,
    /// Tasks that are likely done in that time.
    pub(crate) done: u64,
    /// When the last of these likely ends; `None` if there are none.
    pub(crate) done_in: Option<f64>,
    /// Between what nine of ten times lie in which all of these end.
    pub(crate) band: Option<(f64, f64)>,
    /// Tasks that are aborted before they are done, those that hold up the stop longest first.
    pub(crate) will_be_cut: Vec<Hold>,
    /// The same of those that nothing can abort.
    pub(crate) cannot_abort: Vec<Hold>,
    /// Tasks of which nothing is known.
    pub(crate) unknown: u64,
    /// By name, most first.
    pub(crate) unknown_names: Vec<(Arc<str>, u64)>,
    /// How many tasks will be abandoned, on average.
    pub(crate) expected_abandoned: f64,
    /// Tasks that `will_be_cut` and `cannot_abort` stand for.
    pub(crate) cut: u64,
    pub(crate) is_stopping: bool,
}

/// Tasks that hold up the stop for the same reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hold {
    /// The one that it is.
    pub(crate) task: Option<u64>,
    pub(crate) name: Arc<str>,
    pub(crate) count: u64,
    /// When it would end by itself.
    pub(crate) eta: Option<f64>,
    pub(crate) reason: String,
}

impl Forecast {
    /// Puts together what is known of all tasks.
    pub(crate) fn new(load: &Load, terms: &Terms) -> Self {
        let outlooks: Vec<Outlook<'_>> =
            load.waited.iter().map(|waited| Outlook::new(*waited, curve_of(load, waited), terms)).collect();
        let mut parts = Parts::default();
        for outlook in &outlooks {
            parts.sort_in(outlook, terms);
        }
        let mut forecast = Self {
            within: terms.within,
            done: parts.done.round() as u64,
            unknown: parts.unknown.values().sum::<f64>().round() as u64,
            unknown_names: names(load, &parts.unknown),
            expected_abandoned: parts.abandoned,
            cut: (parts.cut.iter().chain(&parts.held))
                .map(|outlook| outlook.waited.count.round() as u64)
                .sum(),
            will_be_cut: holds(load, parts.cut, terms),
            cannot_abort: holds(load, parts.held, terms),
            is_stopping: terms.is_stopping,
            ..Self::default()
        };
        if 0 < forecast.done {
            let at = |share| released_at(&parts.timed, share, terms);
            forecast.done_in = Some(at(0.5));
            forecast.band = Some((at(BAND.0), at(BAND.1)));
        } else if load.waited.is_empty() {
            (forecast.done_in, forecast.band) = (Some(0.0), Some((0.0, 0.0)));
        }
        forecast
    }

    /// In how many seconds the stop is likely over: at its deadline if something is left by then.
    pub(crate) fn over_in(&self) -> Option<f64> {
        if 0 < self.cut && self.within.is_some() { self.within } else { self.done_in }
    }

    /// The whole in one sentence.
    pub(crate) fn sentence(&self) -> String {
        words::forecast(self)
    }
}

/// Outlooks by what becomes of them.
#[derive(Default)]
struct Parts<'a> {
    done: f64,
    /// Those that decide when the stop is over.
    timed: Vec<Outlook<'a>>,
    cut: Vec<Outlook<'a>>,
    held: Vec<Outlook<'a>>,
    /// By group.
    unknown: BTreeMap<u32, f64>,
    abandoned: f64,
}

impl<'a> Parts<'a> {
    fn sort_in(&mut self, outlook: &Outlook<'a>, terms: &Terms) {
        let waited = &outlook.waited;
        let end = terms.within.unwrap_or(FOREVER);
        let grace_over = outlook.grace_over.filter(|over| *over < end);
        let Some(chance) = outlook.ends_within(grace_over.unwrap_or(end)) else {
            return self.sort_in_unknown(outlook, grace_over.is_some());
        };
        // `Cancel` tasks and connections are aborted by plan, and `Last` tasks wait for their turn.
        let is_planned = matches!(outlook.ending, Ending::Told | Ending::Last | Ending::Closed(_));
        self.abandoned += if is_planned { 0.0 } else { waited.count * (1.0 - chance) };
        if LIKELY <= chance || is_planned {
            self.done += waited.count;
            self.timed.push(*outlook);
        } else if grace_over.is_some() {
            self.timed.push(*outlook);
            self.cut.push(*outlook);
        } else {
            (if waited.cancellable { &mut self.cut } else { &mut self.held }).push(*outlook);
        }
    }

    fn sort_in_unknown(&mut self, outlook: &Outlook<'a>, has_grace: bool) {
        let waited = &outlook.waited;
        let is_held = !waited.cancellable || matches!(outlook.ending, Ending::Unknown(Unknown::Blocked));
        if has_grace {
            self.timed.push(*outlook);
        }
        if !is_held {
            *self.unknown.entry(waited.group).or_default() += waited.count;
            return;
        }
        self.abandoned += waited.count;
        (if waited.cancellable { &mut self.cut } else { &mut self.held }).push(*outlook);
    }
}

/// When the stop waits for none of these any more, with this chance. The deadline ends the wait in any case.
fn released_at(outlooks: &[Outlook<'_>], chance: f64, terms: &Terms) -> f64 {
    let cap = terms.within.unwrap_or(FOREVER);
    let wanted = chance.ln();
    let log_chance = |seconds: f64| {
        let mut sum = 0.0;
        for outlook in outlooks {
            // An unknown task is released when its grace is over; whether it ends before that is not known.
            let released = outlook.released_within(seconds).unwrap_or(0.0);
            sum += outlook.waited.count * released.ln();
            if sum < wanted {
                break;
            }
        }
        sum
    };
    if wanted <= log_chance(0.0) {
        return 0.0;
    }
    let (mut low, mut high) = (1e-4_f64, cap.max(1e-3));
    if log_chance(high) < wanted {
        return cap;
    }
    // To 0.5 %: on a scale of ratios, since times of milliseconds and of hours are alike.
    while 1.005 * low < high {
        let middle = (low * high).sqrt();
        if wanted <= log_chance(middle) { high = middle } else { low = middle }
    }
    high
}

pub(super) fn curve_of<'a>(load: &'a Load, waited: &Waited) -> Option<&'a Lifetimes> {
    load.group(waited.group)?.curve.as_deref()
}

fn name_of(load: &Load, group: u32) -> Arc<str> {
    load.group(group).map_or_else(|| "".into(), |facts| Arc::clone(&facts.name))
}

fn names(load: &Load, counts: &BTreeMap<u32, f64>) -> Vec<(Arc<str>, u64)> {
    let mut by_name: BTreeMap<Arc<str>, f64> = BTreeMap::new();
    for (group, count) in counts {
        *by_name.entry(name_of(load, *group)).or_default() += count;
    }
    let mut names: Vec<_> = by_name.into_iter().map(|(name, count)| (name, count.round() as u64)).collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    names.truncate(NAMED);
    names
}

/// One entry for those that differ in nothing that is said, the longest first.
fn holds(load: &Load, outlooks: Vec<Outlook<'_>>, terms: &Terms) -> Vec<Hold> {
    let mut merged: BTreeMap<(Arc<str>, &'static str), Hold> = BTreeMap::new();
    for outlook in outlooks {
        let waited = &outlook.waited;
        let name = name_of(load, waited.group);
        let (eta, count) = (outlook.likely_end(), waited.count.round() as u64);
        let hold = Hold {
            task: waited.task,
            name: Arc::clone(&name),
            count,
            eta,
            reason: words::reason(&outlook, terms),
        };
        merged
            .entry((name, words::kind_of_reason(&outlook)))
            .and_modify(|known| {
                known.task = None;
                known.count += count;
                if known.eta.is_some_and(|known| eta.is_none_or(|eta| known < eta)) {
                    (known.eta, known.reason) = (eta, hold.reason.clone());
                }
            })
            .or_insert(hold);
    }
    let mut holds: Vec<Hold> = merged.into_values().collect();
    let rank = |hold: &Hold| hold.eta.unwrap_or(f64::INFINITY);
    holds.sort_by(|one, other| rank(other).total_cmp(&rank(one)));
    holds.truncate(NAMED);
    holds
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headcount_core::internal::samples;

    use super::*;
    use crate::forecast::testing::{load, terms, waited};
    use crate::snapshot::{OnShutdown, Progress};

    #[track_caller]
    fn near(value: Option<f64>, wanted: f64, tolerance: f64) {
        assert!(value.is_some_and(|value| (value - wanted).abs() <= tolerance), "{value:?} is not {wanted}");
    }

    #[test]
    fn one_unknown_does_not_make_all_unknown() {
        let tasks = vec![Waited { age: 0.0, ..waited() }, Waited { group: 1, ..waited() }];
        let forecast = Forecast::new(
            &load(&[("mail", &[5.8, 6.0, 6.0, 6.2, 6.1, 5.9]), ("main", &[])], tasks),
            &terms(),
        );
        assert_eq!((forecast.done, forecast.unknown), (1, 1));
        near(forecast.done_in, 6.0, 0.2);
        assert_eq!(forecast.unknown_names, [("main".into(), 1)]);
        assert!(forecast.expected_abandoned < 0.2);
    }

    #[test]
    fn what_cannot_make_it_is_named_with_its_reason() {
        let pace = Some(samples::pace(0.2, Duration::ZERO));
        let tasks = vec![
            Waited { progress: Some(Progress::new(10, 64)), pace, ..waited() },
            Waited { group: 1, blocked: Some(300.0), ..waited() },
            Waited { group: 2, cancellable: false, ..waited() },
        ];
        let load = load(&[("index-rebuild", &[]), ("blocked-cpu", &[]), ("resize-video", &[])], tasks);
        let forecast = Forecast::new(&load, &terms());
        let cut: Vec<_> = forecast.will_be_cut.iter().map(|hold| (&*hold.name, &*hold.reason)).collect();
        assert_eq!(cut, [("blocked-cpu", "does not yield"), ("index-rebuild", "about 4 m 30 s at its pace")]);
        assert_eq!(forecast.cannot_abort[0].reason, "cannot be aborted");
        assert!((2.99..3.01).contains(&forecast.expected_abandoned), "{}", forecast.expected_abandoned);
        assert_eq!(forecast.over_in(), Some(25.0));
    }

    #[test]
    fn many_end_later_than_one() {
        let durations: Vec<f64> = (1..=100).map(f64::from).map(|n| n / 10.0).collect();
        let group: (&str, &[f64]) = ("mail", &durations);
        let of = |count| {
            let tasks = vec![Waited { age: 0.0, count, ..waited() }];
            Forecast::new(&load(&[group], tasks), &terms())
        };
        near(of(1.0).done_in, 5.0, 0.2);
        near(of(9.0).done_in, 9.26, 0.2);
        let (low, high) = of(1.0).band.unwrap();
        assert!(low < 1.0 && 9.0 < high && high < 12.0, "{low} to {high}");
    }

    #[test]
    fn a_grace_and_the_announcement_are_taken_into_account() {
        let tasks =
            vec![Waited { grace: Some(1.0), ..waited() }, Waited { policy: OnShutdown::Cancel, ..waited() }];
        let long: &[f64] = &[60.0; 10];
        let forecast = Forecast::new(&load(&[("slow", long)], tasks), &Terms { announce: 2.0, ..terms() });
        near(forecast.done_in, 3.0, 0.05);
        assert_eq!((forecast.done, forecast.will_be_cut.len()), (1, 1));
        assert_eq!(forecast.will_be_cut[0].reason, "grace 1 s");
    }

    #[test]
    fn connections_are_neither_unknown_nor_cut() {
        let socket = Waited { count: 10_000.0, policy: OnShutdown::Connection, ..waited() };
        let forecast = Forecast::new(&load(&[("socket", &[60.0; 10])], vec![socket]), &terms());
        assert_eq!((forecast.done, forecast.cut, forecast.unknown), (10_000, 0, 0));
        near(forecast.done_in, 1.0, 0.05);
        assert!(forecast.expected_abandoned < 0.01);
    }

    #[test]
    fn a_timeout_ends_what_would_take_longer() {
        let timed = |group, left| Waited { group, timeout: Some(left), ..waited() };
        let groups: &[(&str, &[f64])] = &[("slow", &[60.0; 10]), ("main", &[])];
        let of = |tasks| Forecast::new(&load(groups, tasks), &terms());
        let slow = of(vec![timed(0, 6.0)]);
        near(slow.done_in, 6.0, 0.05);
        assert_eq!((slow.done, slow.cut, slow.unknown), (1, 0, 0));
        assert!(slow.expected_abandoned < 0.01);
        // Of the second nothing else is known.
        let unknown = of(vec![timed(1, 6.0), timed(1, 30.0)]);
        near(unknown.done_in, 6.0, 0.05);
        assert_eq!((unknown.done, unknown.unknown), (1, 1));
        // What yields to no abort yields to no timeout.
        let tasks = vec![
            Waited { blocked: Some(9.0), ..timed(1, 6.0) },
            Waited { cancellable: false, ..timed(1, 6.0) },
        ];
        let stuck = of(tasks);
        assert_eq!((stuck.done, stuck.cut), (0, 2));
    }

    #[test]
    fn nothing_is_over_at_once() {
        let forecast = Forecast::new(&Load::default(), &terms());
        assert_eq!((forecast.done, forecast.done_in), (0, Some(0.0)));
    }

    #[test]
    fn tasks_of_one_group_are_one_entry() {
        let blocked = |id, age| Waited { task: Some(id), age, blocked: Some(age), ..waited() };
        let forecast =
            Forecast::new(&load(&[("cpu", &[])], vec![blocked(1, 5.0), blocked(2, 9.0)]), &terms());
        assert_eq!(forecast.will_be_cut.len(), 1);
        assert_eq!((forecast.will_be_cut[0].task, forecast.will_be_cut[0].count), (None, 2));
    }
}
