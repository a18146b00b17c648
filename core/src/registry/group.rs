//! Groups: tasks with the same name, labels, kind and location, and their totals.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::warn;

use crate::clock;
use crate::name::{self, Blocks, CodeName, MAX_LABELS, MAX_NAME, OTHER};
use crate::outcome::Outcome;
use crate::registry::config::Config;
use crate::registry::kind::{Kind, Labels, OnShutdown};
#[cfg(feature = "stacks")]
use crate::registry::slot::ASKED;
use crate::registry::slot::{DETAILS, NOT_CANCELLABLE, PLAIN, first_bits};
use crate::registry::storm::Storm;
use crate::registry::stripe::{Bounds, Ended, Stripe};
use crate::registry::terms::GroupTerms;
#[cfg(feature = "stacks")]
use crate::registry::wakers;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::terms::rules::rules;

/// Groups that any location may have while there is room at all. A location with more may take no more than
/// is left for all others, so that the first to be counted together are those of the largest offender. Names
/// after the code are exempt: a program has only so many, however many one wrapper spawns.
const SMALL: usize = 20;

/// Labels as users give them.
pub type GivenLabels = [(Cow<'static, str>, Cow<'static, str>)];

/// The name of a task, as it comes.
#[derive(Clone, Copy, Debug)]
pub enum NameSource<'a> {
    /// By the user.
    Given(&'a Cow<'static, str>),
    /// After the code: the type of its future or closure.
    Code(&'static str),
}

/// By what a spawn finds its group.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    pub name: NameSource<'a>,
    pub labels: &'a GivenLabels,
    pub kind: Kind,
    pub location: &'static Location<'static>,
}

/// The last failure of a group; times in ticks.
#[derive(Clone, Debug)]
pub struct LastFailure {
    pub at: u64,
    pub task: u64,
    pub outcome: Outcome,
    pub message: Option<Arc<str>>,
}

pub struct Group {
    pub id: u32,
    pub name: Arc<str>,
    pub kind: Kind,
    pub labels: Labels,
    /// The labels as given, by which a thread [knows](super::known) the group again; `None` if they are too
    /// long to be kept.
    pub given: Option<Box<GivenLabels>>,
    pub location: Arc<str>,
    pub bounds: Arc<Bounds>,
    pub(crate) last_failure: Mutex<Option<LastFailure>>,
    pub(crate) storm: Mutex<Storm>,
    /// Spawns that were refused, since the process stops.
    pub refused: AtomicU64,
    /// Of a group whose tasks have a timeout, a limit or keys, or that a rule gives one.
    pub terms: OnceLock<Box<GroupTerms>>,
    /// 0, or one more than the policy's place in [`POLICIES`].
    policy: AtomicU64,
    /// The policy that the code gave its newest task, in the same way. Tasks that begin the fast way have the
    /// default.
    given_policy: AtomicU64,
    /// The grace that the code gave that task, in nanoseconds and one more; 0 for none.
    given_grace: AtomicU64,
    stripes: Mutex<Stripes>,
    /// For threads whose locals are gone: they take this lock to write.
    shared: Mutex<&'static Stripe>,
}

#[derive(Debug)]
struct Stripes {
    all: Vec<&'static Stripe>,
    free: Vec<&'static Stripe>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Totals of a group at one moment.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub spawned: u64,
    pub ended: [Ended; Outcome::COUNT],
    pub polls: u64,
    pub slow_polls: u64,
    pub busy_nanos: u64,
}

impl Group {
    fn new(id: u32, key: Key, given: &GivenLabels, config: &Config) -> Self {
        let bounds = config.bounds();
        let policy = config.policy_for(&key.name);
        let first_bits = first_bits_of(key.kind, policy);
        let shared: &'static Stripe = Box::leak(Box::new(Stripe::new(bounds.clone(), id, first_bits)));
        let group = Self {
            id,
            policy: AtomicU64::new(policy_index(policy)),
            given_policy: AtomicU64::new(0),
            given_grace: AtomicU64::new(0),
            location: key.location_text(),
            name: key.name,
            kind: key.kind,
            labels: key.labels,
            given: is_short(given).then(|| given.into()),
            bounds,
            last_failure: Mutex::new(None),
            storm: Mutex::new(Storm::default()),
            refused: AtomicU64::new(0),
            terms: OnceLock::new(),
            stripes: Mutex::new(Stripes { all: vec![shared], free: Vec::new() }),
            shared: Mutex::new(shared),
        };
        if rules().exist() {
            group.read_rules();
            shared.set_first_bits(group.first_bits());
        }
        group
    }

    /// Whether it counts tasks whose groups found no room.
    pub fn is_overflow(&self) -> bool {
        self.location.is_empty() && *self.name == *OTHER
    }

    /// The policy that whoever runs the service set for this name.
    #[inline]
    pub fn policy(&self) -> Option<OnShutdown> {
        policy_at(self.policy.load(Ordering::Acquire))
    }

    /// Notes what the code gives a task that begins.
    #[inline]
    pub fn note_given(&self, policy: OnShutdown, grace: Option<Duration>) {
        let nanos = |grace: Duration| u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        let (policy, grace) = (policy as u64 + 1, grace.map_or(0, nanos));
        if self.given_policy.load(Ordering::Relaxed) != policy {
            self.given_policy.store(policy, Ordering::Relaxed);
        }
        if self.given_grace.load(Ordering::Relaxed) != grace {
            self.given_grace.store(grace, Ordering::Relaxed);
        }
    }

    /// The policy of its newest task.
    pub fn newest_policy(&self) -> OnShutdown {
        let given = || policy_at(self.given_policy.load(Ordering::Relaxed));
        self.policy().or_else(given).unwrap_or_default()
    }

    /// The grace of its newest task.
    pub fn newest_grace(&self) -> Option<Duration> {
        self.given_grace.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_nanos)
    }

    /// Kind, policy and flags of a task of this group that asks for nothing else.
    pub fn first_bits(&self) -> u64 {
        let special = if self.has_rules() { DETAILS } else { 0 };
        first_bits_of(self.kind, self.policy()) | special
    }

    /// Sets the policy for this name. The caller [changes](super::flags::Flags::change) the flag word
    /// afterwards.
    pub fn set_policy(&self, policy: Option<OnShutdown>) {
        self.policy.store(policy_index(policy), Ordering::Release);
        self.refresh_first_bits();
    }

    /// Writes the first bits of its tasks to all stripes.
    pub fn refresh_first_bits(&self) {
        // Under their lock, so that a stripe made meanwhile has the one or gets the other.
        let stripes = self.stripes.lock();
        stripes.all.iter().for_each(|stripe| stripe.set_first_bits(self.first_bits()));
    }

    /// Has its tasks begin with the flags that their kind has now.
    #[cfg(feature = "stacks")]
    pub fn renew_first_bits(&self) {
        let stripes = self.stripes.lock();
        stripes.all.iter().for_each(|stripe| stripe.set_first_bits(self.first_bits()));
    }

    /// A stripe for a thread of its own, until it is [returned](Self::return_stripe).
    pub fn lend_stripe(&self) -> &'static Stripe {
        let mut stripes = self.stripes.lock();
        stripes.free.pop().unwrap_or_else(|| {
            let stripe = Stripe::new(self.bounds.clone(), self.id, self.first_bits());
            let stripe: &'static Stripe = Box::leak(Box::new(stripe));
            stripes.all.push(stripe);
            stripe
        })
    }

    pub fn return_stripe(&self, stripe: &'static Stripe) {
        stripe.hand_over();
        self.stripes.lock().free.push(stripe);
    }

    /// Writes to the stripe that threads without locals share.
    pub fn with_shared<R>(&self, write: impl FnOnce(&Stripe) -> R) -> R {
        let stripe = self.shared.lock();
        // Only the lock says whose it is.
        stripe.hand_over();
        write(*stripe)
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let bounds = self.bounds.seconds().len() + 1;
        for ended in &mut totals.ended {
            ended.counts.resize(bounds, 0);
            ended.sums.resize(bounds, 0.0);
        }
        for stripe in self.all_stripes() {
            for &outcome in Outcome::ALL {
                stripe.add_ended(outcome, &mut totals.ended[outcome as usize]);
            }
        }
        // Spawns are read after ends, from a new list of stripes, because each ended task was spawned before.
        for stripe in self.all_stripes() {
            totals.spawned += stripe.spawned();
            totals.polls += stripe.polls();
            totals.slow_polls += stripe.slow_polls();
            totals.busy_nanos += stripe.busy_nanos();
        }
        totals
    }

    fn all_stripes(&self) -> Vec<&'static Stripe> {
        self.stripes.lock().all.clone()
    }
}

/// What makes a group, in bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    name: Arc<str>,
    labels: Labels,
    kind: Kind,
    location: Option<&'static Location<'static>>,
}

impl Key {
    fn of(signature: &Signature<'_>, name: Arc<str>) -> Self {
        Self {
            name,
            labels: clean_labels(signature.labels),
            kind: signature.kind,
            location: Some(signature.location),
        }
    }

    fn overflow(kind: Kind) -> Self {
        Self { name: OTHER.into(), labels: Labels::new(Vec::new()), kind, location: None }
    }

    fn location_text(&self) -> Arc<str> {
        self.location.map_or_else(|| "".into(), |place| name::location(place).into())
    }
}

const POLICIES: &[OnShutdown] = OnShutdown::ALL;

fn policy_index(policy: Option<OnShutdown>) -> u64 {
    let place = POLICIES.iter().position(|known| Some(*known) == policy);
    place.map_or(0, |place| place as u64 + 1)
}

fn policy_at(index: u64) -> Option<OnShutdown> {
    POLICIES.get(usize::try_from(index).ok()?.checked_sub(1)?).copied()
}

fn first_bits_of(kind: Kind, policy: Option<OnShutdown>) -> u64 {
    first_bits(kind, policy.unwrap_or_default(), first_flags(kind))
}

/// The flags that a task begins with by its kind.
pub fn first_flags(kind: Kind) -> u64 {
    match kind {
        // Nothing of ours can abort what nothing of ours handed to a runtime, and its owner drops it when it
        // likes.
        Kind::Future | Kind::Request => NOT_CANCELLABLE,
        #[cfg(feature = "stacks")]
        _ if wakers::are_stored() && wakers::is_stored_for(kind) && clock::is_counter() => ASKED,
        _ if clock::is_counter() => PLAIN,
        _ => 0,
    }
}

/// A name as given, or what the code gives.
fn clean_name(signature: &Signature<'_>, code: Option<&CodeName>, blocks: &mut Blocks) -> Arc<str> {
    let name = match signature.name {
        NameSource::Given(name) => Some(name.clone()),
        NameSource::Code(_) => code.map(|code| Cow::Owned(blocks.name(code, signature.location))),
    };
    let name =
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| name::location(signature.location).into());
    name::cut(name, MAX_NAME).into()
}

/// Makes keys legal and cuts values. A key that is given twice keeps its last value. Different keys that
/// become equal when made legal get underscores at their ends.
fn clean_labels(given: &GivenLabels) -> Labels {
    let mut clean: Vec<(Cow<'static, str>, Cow<'static, str>)> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    for (key, value) in given {
        let value = name::cut(value.clone(), MAX_NAME);
        if let Some(known) = keys.iter().position(|known| known == key) {
            clean[known].1 = value;
        } else if clean.len() < MAX_LABELS {
            keys.push(key);
            clean.push((free_key(key, &clean).into(), value));
        }
    }
    Labels::new(clean)
}

/// The legal key, with as many underscores as it takes to be no other's.
fn free_key(key: &str, taken: &GivenLabels) -> String {
    let mut legal = name::label_key(key);
    while taken.iter().any(|(known, _)| *known == legal) {
        legal.push('_');
    }
    legal
}

/// The first two keys that only an underscore tells apart, for a warning.
fn alike(given: &GivenLabels) -> Option<(&str, &str)> {
    let keys = || given.iter().map(|(key, _)| key.as_ref());
    keys().enumerate().find_map(|(place, key)| {
        let legal = name::label_key(key);
        let before = keys().take(place).find(|before| *before != key && name::label_key(before) == legal)?;
        Some((before, key))
    })
}

/// Whether labels are as bounded as given as they will be once they are clean.
fn is_short(given: &GivenLabels) -> bool {
    given.len() <= MAX_LABELS
        && given.iter().all(|(key, value)| key.len() <= MAX_NAME && value.len() <= MAX_NAME)
}

/// Once a name. A subscriber that panics must not take the spawn with it.
#[cold]
fn warn_alike(name: &str, one: &str, other: &str) {
    let name = name::escape(name);
    let _ = catch_unwind(AssertUnwindSafe(|| {
        warn!(
            target: "headcount",
            "Labels {one:?} and {other:?} of {name} are the same key in metrics: the second has an underscore more there"
        );
    }));
}

/// Once a kind of tasks. A subscriber that panics must not take the spawn with it.
#[cold]
fn warn_overflow(first: &Key, here: usize, max_groups: usize) {
    let name = name::escape(&first.name);
    let location = first.location.map(name::location).unwrap_or_default();
    let _ = catch_unwind(AssertUnwindSafe(|| {
        warn!(
            target: "headcount",
            "New groups are counted together as {OTHER} from now on: {name} ({location}) found no room. Its place has \
             {here} groups of at most {max_groups} in all (HEADCOUNT_MAX_GROUPS); use fewer names and values of labels"
        );
    }));
}

/// All groups of the process.
#[derive(Debug, Default)]
pub struct Groups {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<Key, &'static Group, foldhash::fast::RandomState>,
    list: Vec<&'static Group>,
    overflow_groups: usize,
    blocks: Blocks,
    /// Groups with names or labels that users gave, by location.
    given_at: HashMap<&'static Location<'static>, usize>,
}

impl Groups {
    /// The group of a spawn, made if it is new and there is room. Threads [remember](super::known) the
    /// answer.
    #[cold]
    pub fn find(&self, signature: &Signature<'_>, config: &Config) -> &'static Group {
        let code = match signature.name {
            NameSource::Given(_) => None,
            NameSource::Code(type_name) => name::of_type(type_name),
        };
        let mut table = self.table.lock();
        let name = clean_name(signature, code.as_ref(), &mut table.blocks);
        let key = Key::of(signature, name);
        if let Some(group) = table.by_key.get(&key) {
            return group;
        }
        let given = matches!(signature.name, NameSource::Given(_)) || !signature.labels.is_empty();
        if table.has_room(&key, given, config) {
            let alike =
                alike(signature.labels).filter(|_| table.list.iter().all(|group| group.name != key.name));
            let group = table.insert(key, signature.labels, config);
            drop(table);
            if let Some((one, other)) = alike {
                warn_alike(&group.name, one, other);
            }
            return group;
        }
        let overflow = Key::overflow(signature.kind);
        if let Some(group) = table.by_key.get(&overflow) {
            return group;
        }
        table.overflow_groups += 1;
        let here = key.location.and_then(|location| table.given_at.get(location)).copied();
        let group = table.insert(overflow, &[], config);
        drop(table);
        warn_overflow(&key, here.unwrap_or_default(), config.max_groups());
        group
    }

    /// All groups, in the order of their ids.
    pub fn all(&self) -> Vec<&'static Group> {
        self.table.lock().list.clone()
    }

    pub fn get(&self, id: u32) -> Option<&'static Group> {
        self.table.lock().list.get(id as usize).copied()
    }

    /// Sets the policies again, also for groups that exist.
    pub fn apply_policies(&self, config: &Config) {
        self.all().into_iter().for_each(|group| group.set_policy(config.policy_for(&group.name)));
    }
}

impl Table {
    /// Whether a new group may be kept apart, which is then counted for its location.
    fn has_room(&mut self, key: &Key, given: bool, config: &Config) -> bool {
        let free = config.max_groups().saturating_sub(self.list.len() - self.overflow_groups);
        let Some(location) = key.location.filter(|_| given) else { return 0 < free };
        let here = self.given_at.entry(location).or_default();
        let room = 0 < free && (*here < SMALL || *here < free);
        *here += usize::from(room);
        room
    }

    fn insert(&mut self, key: Key, given: &GivenLabels, config: &Config) -> &'static Group {
        let id = u32::try_from(self.list.len()).expect("max_groups fits");
        let group: &'static Group = Box::leak(Box::new(Group::new(id, key.clone(), given, config)));
        self.by_key.insert(key, group);
        self.list.push(group);
        group
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn labels_that_become_the_same_key_are_told_apart() {
        let given = [("a-b", "1"), ("a_b", "2"), ("a.b", "3"), ("a-b", "4"), ("task", "5"), ("task_", "6")];
        let given = given.map(|(key, value)| (key.into(), value.into()));
        let clean = clean_labels(&given);
        let clean: Vec<_> = clean.iter().collect();
        assert_eq!(clean, [("a_b", "4"), ("a_b_", "2"), ("a_b__", "3"), ("task_", "5"), ("task__", "6")]);
        assert_eq!(alike(&given), Some(("a-b", "a_b")));
        assert_eq!(alike(&given[..1]), None);
    }
}
