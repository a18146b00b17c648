//! The groups that one thread has seen, found again without a lock.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::panic::Location;
use std::sync::OnceLock;

use crate::registry::config::Config;
use crate::registry::group::{GivenLabels, Group, Groups, NameSource, Signature};
use crate::registry::kind::Kind;

const ENTRIES: usize = 512;
/// Places in which an entry may stand.
const WAYS: usize = 4;

/// A thread's way from a spawn's signature to its group.
#[derive(Debug)]
pub struct Known {
    entries: Vec<Option<Entry>>,
    /// The way to evict next.
    next_way: usize,
    /// Where the last was found: spawns of a kind often follow each other.
    last: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: KnownName,
    kind: Kind,
    has_labels: bool,
    location: &'static Location<'static>,
    group: &'static Group,
}

/// A static text is known by its address, any other by its content, which is the group's name.
#[derive(Clone, Copy, Debug)]
enum KnownName {
    Static(&'static str),
    Code(&'static str),
    Owned,
}

impl Known {
    pub const fn new() -> Self {
        Self { entries: Vec::new(), next_way: 0, last: 0 }
    }

    #[inline]
    pub fn find(&mut self, signature: &Signature<'_>, groups: &Groups, config: &Config) -> &'static Group {
        match self.entries.get(self.last) {
            Some(Some(entry)) if entry.matches(signature) => entry.group,
            _ => self.search(signature, groups, config),
        }
    }

    fn search(&mut self, signature: &Signature<'_>, groups: &Groups, config: &Config) -> &'static Group {
        let place = place_of(signature);
        let ways = self.entries.get(place..place + WAYS).unwrap_or_default();
        let way = ways.iter().position(|entry| entry.is_some_and(|entry| entry.matches(signature)));
        self.last = place + way.unwrap_or_else(|| self.learn(place, signature, groups, config));
        self.entries[self.last].expect("found or learnt").group
    }

    /// Puts the group of a signature into one of its places, and gives which.
    #[cold]
    fn learn(&mut self, place: usize, signature: &Signature<'_>, groups: &Groups, config: &Config) -> usize {
        let group = groups.find(signature, config);
        self.entries.resize(ENTRIES, None);
        let free = self.entries[place..place + WAYS].iter().position(Option::is_none);
        self.next_way = (self.next_way + 1) % WAYS;
        let way = free.unwrap_or(self.next_way);
        self.entries[place + way] = Some(Entry::new(signature, group));
        way
    }
}

impl Entry {
    fn new(signature: &Signature<'_>, group: &'static Group) -> Self {
        let name = match signature.name {
            NameSource::Given(Cow::Borrowed(text)) => KnownName::Static(text),
            NameSource::Given(Cow::Owned(_)) => KnownName::Owned,
            NameSource::Code(text) => KnownName::Code(text),
        };
        let has_labels = !signature.labels.is_empty();
        Self { name, kind: signature.kind, has_labels, location: signature.location, group }
    }

    #[inline]
    fn matches(&self, signature: &Signature<'_>) -> bool {
        std::ptr::eq(self.location, signature.location)
            && self.kind == signature.kind
            && self.has_name(signature.name)
            && self.has_labels(signature.labels)
    }

    #[inline]
    fn has_name(&self, name: NameSource<'_>) -> bool {
        match (self.name, name) {
            (KnownName::Static(known), NameSource::Given(Cow::Borrowed(text))) => std::ptr::eq(known, *text),
            (KnownName::Code(known), NameSource::Code(text)) => std::ptr::eq(known, text),
            (KnownName::Owned, NameSource::Given(Cow::Owned(text))) => **text == *self.group.name,
            _ => false,
        }
    }

    #[inline]
    fn has_labels(&self, labels: &GivenLabels) -> bool {
        match (self.has_labels, labels) {
            (false, []) => true,
            (true, [_, ..]) => self.group.given.as_deref() == Some(labels),
            _ => false,
        }
    }
}

/// The first of the places in which a signature's entry may stand.
#[inline]
fn place_of(signature: &Signature<'_>) -> usize {
    let text = match signature.name {
        NameSource::Given(Cow::Borrowed(text)) => text.as_ptr() as u64,
        NameSource::Code(text) => text.as_ptr() as u64,
        NameSource::Given(Cow::Owned(text)) => hasher().hash_one(text),
    };
    let location = std::ptr::from_ref(signature.location) as u64;
    let mut mixed = text.rotate_left(20) ^ location ^ signature.kind as u64;
    for (_, value) in signature.labels {
        mixed = mixed.rotate_left(7) ^ hasher().hash_one(value);
    }
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % (ENTRIES / WAYS) * WAYS
}

fn hasher() -> &'static foldhash::fast::FixedState {
    static HASHER: OnceLock<foldhash::fast::FixedState> = OnceLock::new();
    HASHER.get_or_init(|| foldhash::fast::FixedState::with_seed(0))
}
