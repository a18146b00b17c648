//! The terms of a group: what rules and code say of its tasks, and what became of those that waited.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::lock::Mutex;
use crate::name::escape;
use crate::registry::Registry;
use crate::registry::flags::flags;
use crate::registry::group::Group;
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::local::Current;
use crate::registry::slot::{LIMITED, Reading};
use crate::registry::storm::{Admission, Storm};
use crate::registry::timeout::Timeout;
use crate::terms::rules::{Ruling, log_replaced, log_timeout, rules};
use crate::terms::{Limit, Reason, SetBy};
use crate::text::named;

/// Upper bounds of the times that tasks waited for their limit, in seconds; the last bucket has none.
pub const WAIT_BOUNDS: [f64; 7] = [0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];

/// Made for a group when the first of its tasks, or a rule, has terms.
#[derive(Debug, Default)]
pub struct GroupTerms {
    found: Mutex<Found>,
    /// The timeout that its newest task with one was given by the code, in nanoseconds; 0 for none.
    code_timeout: AtomicU64,
    is_timeout_logged: AtomicBool,
    is_limit_logged: AtomicBool,
    /// When it was last looked whether a task waits for a limit that its ancestor holds.
    looked_at: AtomicU64,
    rejected: [AtomicU64; Reason::COUNT],
    waits: Waits,
    pub(crate) storm: Mutex<Storm>,
}

/// What there is for a group: the rules for its name, and the limit of its code.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// For tasks that wildcards cover.
    covered: GroupRules,
    /// For tasks that wildcards leave alone.
    exempt: GroupRules,
    /// The limit that its newest task with one was given by the code.
    code_limit: Option<&'static Limit>,
}

impl Found {
    fn rules(&self, is_exempt: bool) -> GroupRules {
        if is_exempt { self.exempt } else { self.covered }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct GroupRules {
    timeout: Option<Ruling<Duration>>,
    limit: Option<Ruling<&'static Limit>>,
}

impl GroupRules {
    fn read(name: &str, is_exempt: bool) -> Self {
        let rules = rules();
        Self { timeout: rules.timeout(name, is_exempt), limit: rules.limit(name, is_exempt) }
    }

    fn exist(&self) -> bool {
        self.timeout.is_some() || self.limit.is_some()
    }
}

/// How long tasks waited until they were admitted.
#[derive(Debug, Default)]
pub struct Waits {
    counts: [AtomicU64; WAIT_BOUNDS.len() + 1],
    nanos: [AtomicU64; WAIT_BOUNDS.len() + 1],
}

impl Waits {
    fn add(&self, waited: Duration) {
        let seconds = waited.as_secs_f64();
        let bucket = WAIT_BOUNDS.partition_point(|bound| *bound < seconds);
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.nanos[bucket].fetch_add(nanos, Ordering::Relaxed);
        self.counts[bucket].fetch_add(1, Ordering::Release);
    }

    /// How many are in each bucket, and the sum of their times.
    pub fn read(&self) -> impl Iterator<Item = (u64, Duration)> + use<'_> {
        let both = self.counts.iter().zip(&self.nanos);
        both.map(|(count, nanos)| {
            (count.load(Ordering::Acquire), Duration::from_nanos(nanos.load(Ordering::Relaxed)))
        })
    }
}

impl GroupTerms {
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize].load(Ordering::Relaxed)
    }

    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    pub fn note_wait(&self, waited: Duration) {
        self.waits.add(waited);
    }
}

/// The timeout of a task with one rule and what its code says, and which of them set it.
pub fn combine(rule: Option<Ruling<Duration>>, code: Option<Duration>) -> Option<(Duration, SetBy)> {
    let by_code = code.map(|code| (code, SetBy::Code));
    let Some(Ruling { value, is_exact, set_by }) = rule else { return by_code };
    let by_rule = value.map(|value| (value, set_by));
    match (by_rule, by_code) {
        (rule, _) if is_exact => rule,
        // What both say the code says.
        (Some(rule), Some(code)) => Some(if rule.0 < code.0 { rule } else { code }),
        (rule, code) => code.or(rule),
    }
}

/// Whether wildcards leave a task alone, by its kind and its policy.
pub fn is_exempt(kind: Kind, policy: OnShutdown) -> bool {
    is_kind_exempt(kind) || matches!(policy, OnShutdown::Last | OnShutdown::Detach | OnShutdown::Connection)
}

/// The same of all tasks of a kind.
fn is_kind_exempt(kind: Kind) -> bool {
    matches!(kind, Kind::Request | Kind::Service | Kind::Timer)
}

/// The timeout of a task that begins.
pub fn timeout_of(group: &Group, code: Option<Duration>, is_exempt: bool) -> Option<Timeout> {
    let Some(terms) = group.terms.get() else {
        let code = code?;
        note_code(group, code);
        return Some(Timeout::new(code, None));
    };
    let rule = terms.found.lock().rules(is_exempt).timeout;
    if let Some(code) = code {
        note_code(group, code);
    }
    let timeout = combine(rule, code).map(|(timeout, _)| timeout);
    if let (Some(code), Some(rule)) = (code.filter(|code| timeout != Some(*code)), rule) {
        if !terms.is_timeout_logged.swap(true, Ordering::Relaxed) {
            log_timeout(&group.name, code, timeout, rule.set_by);
        }
    }
    Some(Timeout::new(timeout?, rule.and_then(|rule| rule.value)))
}

fn note_code(group: &Group, code: Duration) {
    let nanos = u64::try_from(code.as_nanos()).unwrap_or(u64::MAX);
    group.terms().code_timeout.store(nanos.max(1), Ordering::Relaxed);
}

/// The limit of a task that begins.
pub fn limit_of(group: &Group, code: Option<&'static Limit>, is_exempt: bool) -> Option<&'static Limit> {
    if code.is_none() && group.terms.get().is_none() {
        return None;
    }
    let terms = group.terms();
    let mut found = terms.found.lock();
    found.code_limit = code.or(found.code_limit);
    let rule = found.rules(is_exempt).limit;
    drop(found);
    let limit = choose(rule, code, &group.name);
    if let (Some(code), Some(rule)) = (code, rule) {
        let is_other = limit.is_none_or(|limit| !std::ptr::eq(limit, code));
        if is_other && !terms.is_limit_logged.swap(true, Ordering::Relaxed) {
            log_replaced(&group.name, code, limit, rule.set_by);
        }
    }
    limit
}

/// The limit of a task with one rule and what its code says.
pub fn choose(
    rule: Option<Ruling<&'static Limit>>,
    code: Option<&'static Limit>,
    name: &str,
) -> Option<&'static Limit> {
    match (rule, code) {
        // The rule has changed the limit's own bounds.
        (_, Some(code)) if code.name() == name => Some(code),
        (Some(Ruling { value, is_exact: true, .. }), _) | (Some(Ruling { value, .. }), None) => value,
        (_, code) => code,
    }
}

/// Counts a rejected task of a group; its line is written unless there were too many.
pub fn note_rejected(group: &Group, id: u64, reason: Reason, limit: Option<&'static Limit>, is_told: bool) {
    let terms = group.terms();
    terms.rejected[reason as usize].fetch_add(1, Ordering::Relaxed);
    if is_told {
        return;
    }
    let admission = terms.storm.lock().admit(clock::ticks());
    let Admission::Write { held_back } = admission else {
        crate::registry::failure::hold_back();
        return;
    };
    let task = named(&group.name, id);
    let why = match (reason, limit) {
        (Reason::Duplicate, _) => "a task with its key is in flight".to_owned(),
        (Reason::Full, Some(limit)) if limit.at_once() == 0 => {
            format!("the limit {} is 0, so nothing can run", escape(limit.name()))
        }
        (Reason::Full, Some(limit)) => {
            format!("{} run and {} wait, which its limit allows", limit.at_once(), limit.queue_length())
        }
        (Reason::Full, None) => "its limit is reached".to_owned(),
    };
    let place = &group.location;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        write_held_back(group, held_back);
        tracing::warn!(target: "headcount::task", "{task} rejected: {why} ({place})");
    }));
}

/// How often it is looked whether a task waits for an ancestor.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// The most ancestors looked at.
const ANCESTORS: usize = 8;

/// Warns where a task that waits for its limit descends from one that holds a slot of that limit: if the
/// ancestor waits for it, neither can continue. `parent` is the task that spawned it.
pub fn look_for_deadlock(
    registry: &Registry,
    (group, id): (&Group, u64),
    parent: Option<Current>,
    limit: &'static Limit,
) {
    let Some(parent) = parent else { return };
    let terms = group.terms();
    let (now, looked_at) = (clock::ticks(), terms.looked_at.load(Ordering::Relaxed));
    if looked_at != 0 && clock::between(looked_at, now) < LOOKS_EVERY {
        return;
    }
    terms.looked_at.store(now, Ordering::Relaxed);
    let read = |task: &Current| task.slot.read().filter(|reading| reading.id() == task.id);
    let holds = |reading: &Reading| {
        let known = registry.group(reading.group()).limit();
        known.is_some_and(|known| std::ptr::eq(known, limit)) && !reading.has(LIMITED)
    };
    let next = |reading: &Reading| read(&registry.find(reading.parent()?)?);
    let chain = std::iter::successors(read(&parent), next);
    let Some(ancestor) = chain.take(ANCESTORS).find(holds) else { return };
    let Admission::Write { held_back } = terms.storm.lock().admit(now) else {
        return crate::registry::failure::hold_back();
    };
    let (task, at_once, place) = (named(&group.name, id), limit.at_once(), &group.location);
    let ancestor = named(&registry.group(ancestor.group()).name, ancestor.id());
    let _ = catch_unwind(AssertUnwindSafe(|| {
        write_held_back(group, held_back);
        tracing::warn!(
            target: "headcount::task",
            "{task} waits for a limit of {at_once}, and its ancestor {ancestor} holds one of its slots: \
             if the ancestor waits for this task, neither can continue ({place})"
        );
    }));
}

/// Says how many lines about terms of a group were held back.
pub fn write_held_back(group: &Group, held_back: u64) {
    if 0 < held_back {
        let name = escape(&group.name);
        tracing::warn!(target: "headcount::task", "{name}: {held_back} more lines about its terms were not logged");
    }
}

impl Group {
    /// Its terms, made if it has none yet.
    pub fn terms(&self) -> &GroupTerms {
        self.terms.get_or_init(Box::default)
    }

    /// Whether a rule gives its tasks a timeout or a limit.
    pub fn has_rules(&self) -> bool {
        self.terms.get().is_some_and(|terms| {
            let found = terms.found.lock();
            found.covered.exist() || found.exempt.exist()
        })
    }

    /// Whether wildcards leave its newest task alone, which stands for all of them.
    fn is_exempt(&self) -> bool {
        is_exempt(self.kind, self.newest_policy())
    }

    /// The timeout of its tasks, and where that comes from.
    pub fn timeout(&self) -> Option<(Duration, SetBy)> {
        let terms = self.terms.get()?;
        let code = Some(terms.code_timeout.load(Ordering::Relaxed)).filter(|nanos| *nanos != 0);
        let rule = terms.found.lock().rules(self.is_exempt()).timeout;
        combine(rule, code.map(Duration::from_nanos))
    }

    /// The limit of its tasks.
    pub fn limit(&self) -> Option<&'static Limit> {
        if matches!(self.kind, Kind::Future | Kind::Request) {
            // Nothing of ours begins them, so nothing can hold them back.
            return None;
        }
        let found = *self.terms.get()?.found.lock();
        let limit = choose(found.rules(self.is_exempt()).limit, found.code_limit, &self.name);
        limit.filter(|limit| !limit.is_lifted())
    }

    /// Reads the rules for its name.
    pub fn read_rules(&self) {
        let exempt = GroupRules::read(&self.name, true);
        let is_kind_exempt = is_kind_exempt(self.kind);
        let covered = if is_kind_exempt { exempt } else { GroupRules::read(&self.name, false) };
        if self.terms.get().is_none() && !exempt.exist() && !covered.exist() {
            return;
        }
        let terms = self.terms();
        let mut found = terms.found.lock();
        (found.covered, found.exempt) = (covered, exempt);
        drop(found);
        terms.is_timeout_logged.store(false, Ordering::Relaxed);
        terms.is_limit_logged.store(false, Ordering::Relaxed);
    }
}

impl Registry {
    /// Gives all groups, and the live tasks, the terms that rules have for their names. Live tasks without a
    /// timeout have theirs from now; a limit counts those that begin.
    pub fn apply_rules(&self) {
        self.groups.all().into_iter().for_each(|group| {
            group.read_rules();
            group.refresh_first_bits();
        });
        // A task that begins without them is met below, or it sees this change when its handle is held.
        flags().change();
        if self.groups.all().iter().any(|group| group.has_rules()) {
            self.slab.slots().for_each(|slot| self.give_timeout(slot));
        }
    }
}
