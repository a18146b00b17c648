//! What the operator says of timeouts and limits, by the names of tasks.
//!
//! A rule with a `*` is a wildcard; any other is exact. The first rule that fits a name counts. An exact rule
//! replaces what the code says. A wildcard leaves alone what must go on or serves others: services, timers,
//! requests, connections, `Last` and `Detach` tasks. A timeout of a wildcard is a bound: the shorter of it
//! and the code's counts. A limit of a wildcard is for tasks whose code gives them none.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lock::{Mutex, RwLock};
use crate::name::{OTHER, escape, fits};
use crate::terms::gate::Bounds;
use crate::terms::limit::{DEFAULT_QUEUE, Limit};
use crate::text::length;

/// A limit as a rule gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRule {
    pub at_once: u32,
    /// As the code has it, unless set.
    pub queue: Option<u32>,
}

impl LimitRule {
    fn over(self, code: Bounds) -> Bounds {
        Bounds { at_once: self.at_once, queue: self.queue.unwrap_or(code.queue) }
    }
}

/// What the first rule that fits a name says: `None` in it lifts what another would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling<T> {
    pub value: Option<T>,
    pub is_exact: bool,
}

impl<T: Copy> Ruling<T> {
    /// This ruling, if it is for tasks that a wildcard leaves alone or not.
    pub fn filter(self, is_exempt: bool) -> Option<Self> {
        (self.is_exact || !is_exempt).then_some(self)
    }
}

/// The most limits that rules make; tasks of further names share one.
const MOST_MADE: usize = 1000;

pub type List<T> = Vec<(String, Option<T>)>;

#[derive(Debug, Default)]
pub struct Rules {
    /// Whether there is any.
    exist: AtomicBool,
    timeouts: RwLock<List<Duration>>,
    limits: RwLock<List<LimitRule>>,
    /// Limits of the code that were used.
    known: Mutex<Vec<&'static Limit>>,
    /// Limits that rules made, by the name of their tasks.
    made: Mutex<HashMap<String, &'static Limit>>,
}

pub fn rules() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);
    &RULES
}

fn find<T: Copy>(list: &List<T>, name: &str) -> Option<Ruling<T>> {
    let (pattern, value) = list.iter().find(|(pattern, _)| fits(pattern, name))?;
    Some(Ruling { value: *value, is_exact: !pattern.contains('*') })
}

impl Rules {
    /// Whether any rule exists: one load.
    #[inline]
    pub fn exist(&self) -> bool {
        self.exist.load(Ordering::Acquire)
    }

    pub fn set_timeouts(&self, list: List<Duration>) {
        *self.timeouts.write() = list;
        self.note();
    }

    /// Sets the limits, also those of the code that were used before.
    pub fn set_limits(&self, list: List<LimitRule>) {
        *self.limits.write() = list;
        self.note();
        let known: Vec<_> = self.known.lock().clone();
        known.into_iter().for_each(|limit| self.apply(limit));
    }

    fn note(&self) {
        let exist = !self.timeouts.read().is_empty() || !self.limits.read().is_empty();
        self.exist.store(exist, Ordering::Release);
    }

    /// Changes the limit of a name while the process runs. Its queue stays.
    pub fn set_limit(&self, name: &str, at_once: u32) {
        let mut limits = self.limits.write();
        let queue = find(&limits, name).and_then(|ruling| ruling.value).and_then(|rule| rule.queue);
        limits.retain(|(pattern, _)| pattern != name);
        limits.insert(0, (name.to_owned(), Some(LimitRule { at_once, queue })));
        drop(limits);
        self.note();
        let known: Vec<_> = self.known.lock().clone();
        known.into_iter().filter(|limit| limit.name() == name).for_each(|limit| self.apply(limit));
    }

    pub fn timeout(&self, name: &str) -> Option<Ruling<Duration>> {
        find(&self.timeouts.read(), name)
    }

    /// The limit that a rule gives tasks of a name, made if there is none yet.
    pub fn limit(&self, name: &str) -> Option<Ruling<&'static Limit>> {
        let Ruling { value, is_exact } = find(&self.limits.read(), name)?;
        Some(Ruling { value: value.map(|rule| self.make(name, rule)), is_exact })
    }

    fn make(&self, name: &str, rule: LimitRule) -> &'static Limit {
        let bounds = rule.over(Bounds { at_once: 0, queue: DEFAULT_QUEUE });
        let mut made = self.made.lock();
        if let Some(limit) = made.get(name) {
            limit.set_bounds(bounds);
            return limit;
        }
        let name = if MOST_MADE <= made.len() { OTHER } else { name };
        if let Some(limit) = made.get(name) {
            return limit;
        }
        let name: &'static str = name.to_owned().leak();
        let limit: &'static Limit = Box::leak(Box::new(Limit::with(name, bounds)));
        made.insert(name.to_owned(), limit);
        limit
    }

    /// All limits that were used or made, in the order of their names.
    pub fn all(&self) -> Vec<&'static Limit> {
        let mut all: Vec<_> = self.known.lock().clone();
        all.extend(self.made.lock().values());
        all.sort_by_key(|limit| limit.name());
        all
    }

    /// Lets the rule for a limit's own name win over its code.
    fn apply(&self, limit: &'static Limit) {
        let Some(ruling) = find(&self.limits.read(), limit.name()).filter(|ruling| ruling.is_exact) else {
            return;
        };
        let (code, former) = (limit.code(), limit.bounds());
        let unlimited = Bounds { at_once: u32::MAX - 1, queue: code.queue };
        let bounds = ruling.value.map_or(unlimited, |rule| rule.over(code));
        if bounds != former {
            limit.set_bounds(bounds);
            log_limit(limit.name(), former, ruling.value);
        }
    }
}

/// A limit is used for the first time.
pub fn meet(limit: &'static Limit, is_known: impl FnOnce() -> bool) {
    let rules = rules();
    let mut known = rules.known.lock();
    if is_known() {
        return;
    }
    known.push(limit);
    drop(known);
    rules.apply(limit);
}

fn log_limit(name: &str, former: Bounds, rule: Option<LimitRule>) {
    let name = escape(name);
    let text = match rule {
        Some(rule) => format!("At most {} {name} at once, not {}", rule.at_once, former.at_once),
        None => format!("No limit for {name}, not {} at once", former.at_once),
    };
    log(&text);
}

/// Behind a `catch_unwind`, as a subscriber that panics must not take a spawn with it.
fn log(text: &str) {
    let write = || tracing::info!(target: "headcount", "{text}: the operator says so");
    let _ = catch_unwind(AssertUnwindSafe(write));
}

/// Says that a rule gives tasks another timeout than their code.
pub fn log_timeout(name: &str, code: Duration, rule: Option<Duration>) {
    let (name, code) = (escape(name), length(code));
    log(&match rule {
        Some(rule) => format!("{name} may run for {}, not {code}", length(rule)),
        None => format!("{name} has no timeout, not {code}"),
    });
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::time::Duration;

    use super::{LimitRule, Rules, Ruling};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_rule_that_fits_counts_and_a_wildcard_leaves_some_alone() {
        let rules = Rules::default();
        assert!(!rules.exist());
        rules.set_timeouts(vec![
            ("import".to_owned(), None),
            ("send-*".to_owned(), Some(SECOND)),
            ("*".to_owned(), Some(60 * SECOND)),
        ]);
        assert!(rules.exist());
        assert_eq!(rules.timeout("import"), Some(Ruling { value: None, is_exact: true }));
        assert_eq!(rules.timeout("send-email"), Some(Ruling { value: Some(SECOND), is_exact: false }));
        let other = rules.timeout("other").unwrap();
        assert_eq!(other.filter(true), None);
        assert_eq!(other.filter(false), Some(other));
        assert!(rules.timeout("import").unwrap().filter(true).is_some());
    }

    #[test]
    fn one_name_has_one_limit_whose_bounds_change() {
        let rules = Rules::default();
        let rule = |at_once, queue| LimitRule { at_once, queue };
        rules.set_limits(vec![("send-*".to_owned(), Some(rule(3, Some(5))))]);
        let limit = rules.limit("send-email").unwrap().value.unwrap();
        assert_eq!((limit.at_once(), limit.queue_length()), (3, 5));
        rules.set_limit("send-email", 7);
        let same = rules.limit("send-email").unwrap();
        assert!(std::ptr::eq(same.value.unwrap(), limit) && same.is_exact);
        assert_eq!((limit.at_once(), limit.queue_length()), (7, 5), "the queue stays");
        assert_eq!(rules.limit("send-text").unwrap().value.unwrap().at_once(), 3);
    }
}
