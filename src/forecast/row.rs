//! The outlook of the tasks that a list shows, and their order by what holds up the stop longest.

use std::cell::RefCell;

use headcount_core::internal::registry::recent;

use super::engine::curve_of;
use super::load::{Load, single};
use super::outlook::{Ending, Outlook, Terms, Unknown, Waited};
use super::words;
use crate::registry::slot::Reading;
use crate::snapshot::{OnShutdown, TaskInfo};

/// What a list says of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// In how many seconds it likely ends, or no longer holds up the stop.
    pub(crate) eta: Option<f64>,
    pub(crate) bound: Option<Bound>,
    /// What a stop waits for with it, beyond its own end.
    pub(crate) waits_for: Option<String>,
}

/// How an `eta` is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    About,
    AtMost,
}

impl Bound {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::About => "about",
            Self::AtMost => "at_most",
        }
    }
}

/// Where a task stands in a list: those that do not yield come first, then those that nothing can abort,
/// those without an estimate, the others by how long they take, `Last` tasks, and what is aborted anyway.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Rank(u8, f64);

/// Describes tasks one by one.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    load: &'a Load,
    terms: Terms,
    /// How many tasks a `Last` task lets go first, and when the last of these likely ends.
    others: Option<u64>,
    others_end: Option<f64>,
    /// For each group how long tasks of an age take, by its place on the scale; a million tasks need no more
    /// than that.
    etas: RefCell<Vec<Vec<f32>>>,
}

impl<'a> Rows<'a> {
    /// For a list of tasks of these groups. `others` and `others_end` are about all tasks but those of
    /// `Last`.
    pub(crate) fn new(load: &'a Load, terms: Terms, others: Option<u64>, others_end: Option<f64>) -> Self {
        Self { load, terms, others, others_end, etas: RefCell::default() }
    }

    fn outlook(&self, waited: Waited) -> Outlook<'a> {
        Outlook::new(waited, curve_of(self.load, &waited), &self.terms)
    }

    pub(crate) fn row(&self, task: &TaskInfo) -> Row {
        let waited = Waited::of(task);
        if !self.terms.is_stopping {
            return self.peaceful(waited);
        }
        let outlook = self.outlook(waited);
        let likely = match outlook.ending {
            Ending::Last => self.others_end,
            _ => outlook.own_end(),
        };
        let over = outlook.grace_over.into_iter().chain(outlook.timed_out).reduce(f64::min);
        let (eta, bound) = match (likely, over) {
            (Some(likely), Some(over)) if over <= likely => (Some(over), Some(Bound::AtMost)),
            (None, Some(over)) => (Some(over), Some(Bound::AtMost)),
            (likely, _) => (likely, likely.map(|_| Bound::About)),
        };
        Row { eta, bound, waits_for: words::waits_for(&outlook, self.others) }
    }

    /// Without a stop a task ends by itself or not at all, whatever a stop would do to it.
    fn peaceful(&self, waited: Waited) -> Row {
        let waits_for = words::waits_for(&self.outlook(waited), None);
        let own = self.outlook(Waited { policy: OnShutdown::Wait, listens: false, ..waited });
        let (eta, likely) = (own.likely_end(), own.own_end());
        let bound = if eta == likely { Bound::About } else { Bound::AtMost };
        Row { eta, bound: eta.map(|_| bound), waits_for }
    }

    /// The rank of a task; its details are looked at if there are few such tasks.
    pub(crate) fn rank_of(&self, task: &Reading, now: u64, is_blocked: bool, looks: bool) -> Rank {
        self.rank(single(task, now, is_blocked, looks))
    }

    fn rank(&self, waited: Waited) -> Rank {
        let outlook = self.outlook(waited);
        let end = match outlook.ending {
            Ending::Curve(_) => Some(self.eta(&outlook)),
            _ => outlook.own_end(),
        };
        let over = outlook.grace_over.into_iter().chain(outlook.timed_out);
        let eta = end.into_iter().chain(over).reduce(f64::min);
        let class = match outlook.ending {
            _ if waited.blocked.is_some() => 5,
            Ending::Unknown(_) if !waited.cancellable => 4,
            Ending::Unknown(_) if outlook.timed_out.is_some() => 2,
            Ending::Unknown(Unknown::Blocked | Unknown::Stalled | Unknown::Few | Unknown::Old) => 3,
            Ending::Last => 1,
            Ending::Told => 0,
            Ending::Curve(_) | Ending::Pace { .. } | Ending::Closed(_) => 2,
        };
        // The older of two that are alike comes first.
        Rank(class, eta.filter(|_| class == 2).unwrap_or(waited.age))
    }
}

impl Rows<'_> {
    /// When a task ends that ends as its group does.
    fn eta(&self, outlook: &Outlook<'_>) -> f64 {
        let (group, age) = (outlook.waited.group as usize, outlook.waited.age);
        let mut etas = self.etas.borrow_mut();
        let rows = etas.len().max(group + 1);
        etas.resize_with(rows, Vec::new);
        if etas[group].is_empty() {
            etas[group] = vec![f32::NAN; recent::PLACES];
        }
        let eta = &mut etas[group][usize::from(recent::place_of((age * 1e9) as u64))];
        if eta.is_nan() {
            *eta = outlook.own_end().unwrap_or(0.0) as f32;
        }
        f64::from(*eta)
    }
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples;

    use super::*;
    use crate::forecast::testing::{load, terms, waited};
    use crate::snapshot::State;

    const MAIL: (&str, &[f64]) = ("mail", &[6.0, 6.0, 6.0, 6.0, 6.0, 6.0]);

    fn stopping() -> Terms {
        Terms { is_stopping: true, ..terms() }
    }

    #[test]
    fn a_row_says_what_is_waited_for() {
        let load = load(&[MAIL], Vec::new());
        let rows = Rows::new(&load, stopping(), Some(10), Some(4.0));
        let plain = changed!(samples::task(), progress: None);
        let row = rows.row(&plain);
        assert!(row.eta.is_some_and(|eta| (2.5..3.1).contains(&eta)) && row.bound == Some(Bound::About));
        assert_eq!(row.waits_for, None);
        let last = rows.row(&changed!(plain.clone(), on_shutdown: OnShutdown::Last));
        assert_eq!(last.waits_for.as_deref(), Some("Last: notified when 10 others have ended"));
        assert_eq!(last.eta, Some(4.0));
        let short = rows.row(&changed!(plain.clone(), grace: Some(std::time::Duration::from_secs(1))));
        assert_eq!((short.eta, short.bound), (Some(1.0), Some(Bound::AtMost)));
        assert_eq!(short.waits_for.as_deref(), Some("grace 1 s"));
        let (allowed, elapsed) = (std::time::Duration::from_secs(30), std::time::Duration::from_secs(28));
        let timed = changed!(plain.clone(), timeout: Some(samples::timeout(allowed, elapsed)));
        assert_eq!((rows.row(&timed).eta, rows.row(&timed).bound), (Some(2.0), Some(Bound::AtMost)));
        let in_peace = Rows::new(&load, terms(), None, None);
        assert_eq!((in_peace.row(&timed).eta, in_peace.row(&timed).bound), (Some(2.0), Some(Bound::AtMost)));
        let stuck = rows.row(&changed!(plain, state: State::Blocked));
        assert_eq!(stuck.waits_for.as_deref(), Some("does not yield"));
    }

    #[test]
    fn without_a_stop_a_row_says_when_the_task_ends_by_itself() {
        let load = load(&[MAIL], Vec::new());
        let rows = Rows::new(&load, terms(), None, None);
        let short = changed!(samples::task(), progress: None, grace: Some(std::time::Duration::from_secs(1)));
        assert!(rows.row(&short).eta.is_some_and(|eta| 2.5 < eta));
    }

    #[test]
    fn what_holds_up_longest_comes_first() {
        let load = load(&[MAIL, ("new", &[])], Vec::new());
        let rows = Rows::new(&load, stopping(), None, None);
        let order = [
            Waited { blocked: Some(9.0), ..waited() },
            Waited { group: 1, cancellable: false, ..waited() },
            Waited { group: 1, ..waited() },
            Waited { age: 1.0, ..waited() },
            Waited { age: 4.0, ..waited() },
            Waited { policy: OnShutdown::Last, ..waited() },
            Waited { policy: OnShutdown::Cancel, ..waited() },
        ];
        let ranks: Vec<Rank> = order.into_iter().map(|waited| rows.rank(waited)).collect();
        assert!(ranks.windows(2).all(|pair| pair[1] < pair[0]), "{ranks:?}");
    }
}
