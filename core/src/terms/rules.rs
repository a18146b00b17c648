//! What rules by name say of timeouts and limits: the operator's, the builder's, and those of `set_limit`.
//!
//! A rule with a `*` is a wildcard; any other is exact. The first rule that fits a name counts. An exact rule
//! replaces what the code says. A wildcard leaves alone what must go on or serves others: services, timers,
//! requests, connections, `Last` and `Detach` tasks; for these it is as if it were not there. A timeout of a
//! wildcard is a bound: the shorter of it and the code's counts. A limit of a wildcard is for tasks whose
//! code gives them none.
//!
//! [`find`] decides all that, for every reader: a caller has to say whether wildcards leave its task alone.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lock::{Mutex, RwLock};
use crate::name::{MAX_NAME, OTHER, cut, escape, fits};
use crate::terms::gate::Bounds;
use crate::terms::limit::{DEFAULT_QUEUE, Limit};
use crate::terms::set_by::SetBy;
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
    pub set_by: SetBy,
}

/// The most limits that rules make; tasks of further names share one.
const MOST_MADE: usize = 1000;

/// The most rules of limits with which `set_limit` takes a new name.
pub const MOST_RULES: usize = 1000;

/// Patterns of names, and what they say.
pub type List<T> = Vec<(String, Option<T>)>;

#[derive(Clone, Debug)]
struct Rule<T> {
    pattern: String,
    value: Option<T>,
    set_by: SetBy,
}

impl<T> Rule<T> {
    fn is_exact(&self) -> bool {
        !self.pattern.contains('*')
    }
}

fn rules_of<T>(list: List<T>, set_by: SetBy) -> Vec<Rule<T>> {
    list.into_iter().map(|(pattern, value)| Rule { pattern, value, set_by }).collect()
}

#[derive(Debug, Default)]
pub struct Rules {
    /// Whether there is any.
    exist: AtomicBool,
    timeouts: RwLock<Vec<Rule<Duration>>>,
    limits: RwLock<Vec<Rule<LimitRule>>>,
    /// Limits of the code that were used.
    known: Mutex<Vec<&'static Limit>>,
    /// Limits that rules made, by the name of their tasks.
    made: Mutex<HashMap<String, &'static Limit>>,
}

pub fn rules() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);
    &RULES
}

/// The first rule that covers tasks of a name. `is_exempt`: wildcards leave them alone.
fn find<T: Copy>(list: &[Rule<T>], name: &str, is_exempt: bool) -> Option<Ruling<T>> {
    let covers = |rule: &&Rule<T>| (rule.is_exact() || !is_exempt) && fits(&rule.pattern, name);
    let rule = list.iter().find(covers)?;
    Some(Ruling { value: rule.value, is_exact: rule.is_exact(), set_by: rule.set_by })
}

impl Rules {
    /// Whether any rule exists: one load.
    #[inline]
    pub fn exist(&self) -> bool {
        self.exist.load(Ordering::Acquire)
    }

    pub fn set_timeouts(&self, list: List<Duration>, set_by: SetBy) {
        *self.timeouts.write() = rules_of(list, set_by);
        self.note();
    }

    /// Sets the limits, also those of the code that were used before.
    pub fn set_limits(&self, list: List<LimitRule>, set_by: SetBy) {
        *self.limits.write() = rules_of(list, set_by);
        self.note();
        self.refresh();
    }

    fn note(&self) {
        let exist = !self.timeouts.read().is_empty() || !self.limits.read().is_empty();
        self.exist.store(exist, Ordering::Release);
    }

    /// Changes the limit of a name while the process runs. Its queue stays. A pattern with `*` keeps its
    /// place among the rules, and a new one comes last. Says whether a limit or a rule had this name; `None`
    /// where a new one would be one rule too many.
    pub fn set_limit(&self, name: &str, at_once: u32) -> Option<bool> {
        let name = cut(name.into(), MAX_NAME);
        let mut limits = self.limits.write();
        let queue = find(&limits, &name, false).and_then(|ruling| ruling.value).and_then(|rule| rule.queue);
        let value = Some(LimitRule { at_once, queue });
        let rule = Rule { pattern: name.clone().into_owned(), value, set_by: SetBy::Call };
        let place = limits.iter().position(|known| known.pattern == *name);
        if place.is_none() && MOST_RULES <= limits.len() {
            return None;
        }
        match place {
            Some(place) if !rule.is_exact() => limits[place] = rule,
            None if !rule.is_exact() => limits.push(rule),
            // A wildcard that stood before it must not win.
            _ => {
                limits.retain(|known| known.pattern != *name);
                limits.insert(0, rule);
            }
        }
        drop(limits);
        self.note();
        self.refresh();
        Some(place.is_some() || self.all().iter().any(|limit| fits(&name, limit.name())))
    }

    pub fn timeout(&self, name: &str, is_exempt: bool) -> Option<Ruling<Duration>> {
        find(&self.timeouts.read(), name, is_exempt)
    }

    /// The limit that a rule gives tasks of a name, made if there is none yet.
    pub fn limit(&self, name: &str, is_exempt: bool) -> Option<Ruling<&'static Limit>> {
        // Held while the limit is made, so that a rule that changes meanwhile finds it.
        let limits = self.limits.read();
        let Ruling { value, is_exact, set_by } = find(&limits, name, is_exempt)?;
        Some(Ruling { value: value.map(|rule| self.make(name, rule, set_by)), is_exact, set_by })
    }

    fn make(&self, name: &str, rule: LimitRule, set_by: SetBy) -> &'static Limit {
        let mut made = self.made.lock();
        let name = if made.contains_key(name) || made.len() < MOST_MADE { name } else { OTHER };
        if let Some(limit) = made.get(name) {
            return limit;
        }
        let bounds = rule.over(Bounds { at_once: 0, queue: DEFAULT_QUEUE });
        let name: &'static str = name.to_owned().leak();
        let limit: &'static Limit = Box::leak(Box::new(Limit::with(name, bounds)));
        limit.set_made();
        limit.set_bounds(bounds, set_by);
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

    /// Gives all limits the bounds that the rules say now, and admits what there is room for.
    fn refresh(&self) {
        let known: Vec<_> = self.known.lock().clone();
        known.into_iter().for_each(|limit| self.apply(limit));
        let made: Vec<_> = self.made.lock().iter().map(|(name, limit)| (name.clone(), *limit)).collect();
        for (name, limit) in made {
            let limits = self.limits.read();
            let Some(ruling) = find(&limits, &name, false) else { continue };
            let bounds = ruling.value.map_or(unlimited(limit.code()), |rule| rule.over(limit.code()));
            limit.set_bounds(bounds, ruling.set_by);
            // A waker may run code that comes back here.
            drop(limits);
            limit.admit();
        }
    }

    /// Lets the rule for a limit's own name win over its code.
    fn apply(&self, limit: &'static Limit) {
        // Held until the bounds are set, so that a rule that changes meanwhile sets them after this.
        let limits = self.limits.read();
        let ruling = find(&limits, limit.name(), false).filter(|ruling| ruling.is_exact);
        let (code, former) = (limit.code(), limit.bounds());
        let (bounds, set_by) = match ruling {
            None => (code, SetBy::Code),
            Some(Ruling { value: None, set_by, .. }) => (unlimited(code), set_by),
            Some(Ruling { value: Some(rule), set_by, .. }) => (rule.over(code), set_by),
        };
        limit.set_bounds(bounds, set_by);
        drop(limits);
        limit.admit();
        if bounds != former {
            log_limit(limit.name(), former, bounds, set_by);
        }
    }
}

fn unlimited(code: Bounds) -> Bounds {
    Bounds { at_once: UNLIMITED, queue: code.queue }
}

/// More tasks than can be.
pub const UNLIMITED: u32 = u32::MAX - 1;

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
    if limit.bounds().at_once == 0 {
        let name = escape(limit.name());
        let write = || {
            tracing::error!(target: "headcount", "The limit {name} is 0: no task that has it can run");
        };
        let _ = catch_unwind(AssertUnwindSafe(write));
    }
}

fn log_limit(name: &str, former: Bounds, bounds: Bounds, set_by: SetBy) {
    let (name, former) = (escape(name), count(former));
    let text = match bounds.at_once {
        UNLIMITED => format!("No limit for {name}, not {former} at once"),
        at_once => format!("At most {at_once} {name} at once, not {former}"),
    };
    log(&text, set_by, "HEADCOUNT_LIMIT");
}

fn count(bounds: Bounds) -> String {
    if bounds.at_once == UNLIMITED { "any number".to_owned() } else { bounds.at_once.to_string() }
}

/// Behind a `catch_unwind`, as a subscriber that panics must not take a spawn with it.
fn log(text: &str, set_by: SetBy, variable: &str) {
    let write = || tracing::info!(target: "headcount", "{text}: {}", set_by.says(variable));
    let _ = catch_unwind(AssertUnwindSafe(write));
}

/// Logs that a rule gives tasks another timeout than their code.
pub fn log_timeout(name: &str, code: Duration, rule: Option<Duration>, set_by: SetBy) {
    let (name, code) = (escape(name), length(code));
    let text = match rule {
        Some(rule) => format!("{name} may run for {}, not {code}", length(rule)),
        None => format!("{name} has no timeout, not {code}"),
    };
    log(&text, set_by, "HEADCOUNT_TIMEOUT");
}

/// Logs that a rule gives tasks another limit than the one that their code names.
pub fn log_replaced(name: &str, code: &Limit, rule: Option<&Limit>, set_by: SetBy) {
    let (name, other, former) = (escape(name), escape(code.name()), count(code.bounds()));
    let text = match rule {
        Some(rule) => format!("{name} has a limit of {} at once", count(rule.bounds())),
        None => format!("{name} has no limit"),
    };
    log(&format!("{text}, not the limit {other} of {former}"), set_by, "HEADCOUNT_LIMIT");
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::time::Duration;

    use super::{LimitRule, Rules, Ruling};
    use crate::terms::SetBy;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_rule_that_fits_counts_and_a_wildcard_leaves_some_alone() {
        let rules = Rules::default();
        assert!(!rules.exist());
        let list = [
            ("import", None),
            ("send-*", Some(SECOND)),
            ("*", Some(60 * SECOND)),
            ("loop", Some(2 * SECOND)),
        ];
        rules.set_timeouts(list.map(|(name, value)| (name.to_owned(), value)).into(), SetBy::Variable);
        assert!(rules.exist());
        let ruling = |value, is_exact| Some(Ruling { value, is_exact, set_by: SetBy::Variable });
        for is_exempt in [false, true] {
            assert_eq!(rules.timeout("import", is_exempt), ruling(None, true));
        }
        assert_eq!(rules.timeout("send-email", false), ruling(Some(SECOND), false));
        assert_eq!(rules.timeout("send-email", true), None);
        assert_eq!(rules.timeout("loop", false), ruling(Some(60 * SECOND), false));
        assert_eq!(rules.timeout("loop", true), ruling(Some(2 * SECOND), true), "no wildcard is before it");
    }

    #[test]
    fn one_name_has_one_limit_whose_bounds_change() {
        let rules = Rules::default();
        let rule = |at_once, queue| LimitRule { at_once, queue };
        let list = vec![("send-*".to_owned(), Some(rule(3, Some(5))))];
        rules.set_limits(list, SetBy::Builder);
        let limit = rules.limit("send-email", false).unwrap().value.unwrap();
        assert_eq!((limit.at_once(), limit.queue_length(), limit.set_by()), (3, 5, SetBy::Builder));
        assert_eq!(rules.set_limit("send-email", 7), Some(true));
        // Also before another task of the name comes.
        assert_eq!((limit.at_once(), limit.queue_length(), limit.set_by()), (7, 5, SetBy::Call));
        let same = rules.limit("send-email", true).unwrap();
        assert!(std::ptr::eq(same.value.unwrap(), limit) && same.is_exact);
        assert_eq!(rules.limit("send-text", false).unwrap().value.unwrap().at_once(), 3);
    }

    /// A pattern set while the process runs does not win over names that stand before it.
    #[test]
    fn a_pattern_keeps_its_place_and_a_name_comes_first() {
        let rules = Rules::default();
        let rule = |at_once| Some(LimitRule { at_once, queue: None });
        let list = vec![("send-*".to_owned(), rule(3)), ("send-email".to_owned(), rule(4))];
        rules.set_limits(list, SetBy::Variable);
        let at_once = |name: &str| rules.limit(name, false).unwrap().value.unwrap().at_once();
        assert_eq!(rules.set_limit("*", 9), Some(false));
        assert_eq!(rules.set_limit("send-*", 5), Some(true));
        assert_eq!((at_once("send-text"), at_once("other")), (5, 9));
        assert_eq!(rules.set_limit("send-email", 6), Some(true));
        assert_eq!(rules.set_limit("*", 8), Some(true));
        assert_eq!((at_once("send-email"), at_once("send-text"), at_once("other")), (6, 5, 8));
    }
}
