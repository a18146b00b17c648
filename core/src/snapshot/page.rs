//! Pages of tasks: filtered, sorted, and of a million live ones no more is kept than two pages.

use std::collections::{HashMap, HashSet};
use std::error;
use std::fmt;

use crate::clock;
use crate::name::{MAX_NAME, cut};
use crate::outcome::Outcome;
use crate::registry::details::Details;
use crate::registry::group::Group;
use crate::registry::history::{Note, Record};
use crate::registry::registry;
use crate::registry::slot::{DETAILS, Reading};
use crate::snapshot::filter::{Term, Test, has};
use crate::snapshot::fold::{self, OkGroup};
use crate::snapshot::read::{self, Describer};
use crate::snapshot::{
    Filter, FinishedQuery, FinishedTask, Page, SortBy, SortOrder, State, TaskInfo, TaskQuery,
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;
/// Slots between two pauses: a search through their fields takes some 300 µs.
const SLICE: usize = 1_024;

/// A page cursor that does not fit its query.
///
/// Its text names the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorError {
    cursor: String,
}

impl CursorError {
    fn new(cursor: &str) -> Self {
        Self { cursor: cut(cursor.into(), MAX_NAME).into_owned() }
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = "expected `next` of the previous page, with the same sort order";
        write!(f, "cursor={:?}: {expected}", self.cursor)
    }
}

impl error::Error for CursorError {}

/// Where a task stands in the order of a page: ascending, whatever the direction.
type Rank = (u64, u64);

fn bounded(limit: Option<usize>) -> usize {
    limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

/// A filter and a text that is looked for as well.
fn with_text(filter: &Filter, text: Option<&str>) -> Filter {
    let mut all = filter.clone();
    all.terms.extend(Filter::text(text.unwrap_or_default()).terms);
    all
}

/// One page of live tasks. `pause` is called after each few slots, where a reader can make room for others.
pub(crate) fn live_page(query: &TaskQuery, mut pause: impl FnMut()) -> Result<Page<TaskInfo>, CursorError> {
    let mut describer = Describer::new();
    let sorting = Sorting::new(query, &describer.groups);
    let after = start(query.cursor.as_deref(), |cursor| sorting.parse(cursor))?;
    let searched = with_text(&query.filter, query.search.as_deref());
    let filter = LiveFilter::new(query, &searched, &describer);
    let limit = bounded(query.limit);
    let mut total = 0;
    let mut first = First::new(limit + 1);
    let mut seen = 0_usize;
    registry().slab.slots().for_each(|slot| {
        seen += 1;
        if seen % SLICE == 0 {
            pause();
        }
        let Some(task) = slot.read().filter(|task| filter.admits(task, &describer)) else { return };
        total += 1;
        let rank = sorting.rank(&task, describer.now);
        if after.is_none_or(|after| after < rank) {
            first.offer(rank, task);
        }
    });
    let mut tasks = first.sorted();
    let more = limit < tasks.len();
    tasks.truncate(limit);
    let next = tasks.last().filter(|_| more).map(|(rank, _)| sorting.cursor(*rank));
    let mut items: Vec<_> = tasks.iter().map(|(_, task)| describer.live(task)).collect();
    add_children(&mut items);
    Ok(Page { total, items, next })
}

/// The first few of any number of tasks, in whatever order they come.
///
/// Twice as many as wanted are kept; when there is no more room, the later half goes, and from then on only
/// what comes before all of it is taken. A task so costs a comparison, and of those taken each its share of a
/// partition: no order of arrival makes that much.
struct First {
    wanted: usize,
    kept: Vec<(Rank, Reading)>,
    /// What comes after this is not among the first.
    bound: Rank,
}

impl First {
    fn new(wanted: usize) -> Self {
        Self { wanted, kept: Vec::with_capacity(2 * wanted), bound: (u64::MAX, u64::MAX) }
    }

    #[inline]
    fn offer(&mut self, rank: Rank, task: Reading) {
        if self.bound < rank {
            return;
        }
        if self.kept.len() == 2 * self.wanted {
            self.halve();
        }
        self.kept.push((rank, task));
    }

    fn halve(&mut self) {
        let (_, last, _) = self.kept.select_nth_unstable_by_key(self.wanted - 1, |(rank, _)| *rank);
        self.bound = last.0;
        self.kept.truncate(self.wanted);
    }

    fn sorted(mut self) -> Vec<(Rank, Reading)> {
        self.kept.sort_unstable_by_key(|(rank, _)| *rank);
        self.kept.truncate(self.wanted);
        self.kept
    }
}

/// The order of a page.
struct Sorting {
    by: SortBy,
    descending: bool,
    /// For `Name`: all names in order, and for each group the place of its own.
    names: Vec<String>,
    places: Vec<u64>,
}

impl Sorting {
    fn new(query: &TaskQuery, groups: &[&'static Group]) -> Self {
        let natural = if query.sort == SortBy::Name { SortOrder::Asc } else { SortOrder::Desc };
        let descending = query.order.unwrap_or(natural) == SortOrder::Desc;
        let mut names: Vec<String> = groups.iter().map(|group| group.name.to_string()).collect();
        names.sort();
        names.dedup();
        let place = |group: &&Group| names.partition_point(|name| **name < *group.name) as u64;
        let places = groups.iter().map(place).collect();
        Self { by: query.sort, descending, names, places }
    }

    fn rank(&self, task: &Reading, now: u64) -> Rank {
        let key = match self.by {
            SortBy::Age => !task.started,
            SortBy::Busy => task.busy_until(now),
            SortBy::Polls => task.polls(),
            SortBy::Name => self.places.get(task.group() as usize).copied().unwrap_or(u64::MAX >> 1),
        };
        (if self.descending { !key } else { key }, task.id())
    }

    /// Key and id of the last task of a page; of a name the name itself, whose place may change.
    fn cursor(&self, (key, id): Rank) -> String {
        if self.by != SortBy::Name {
            return format!("{id:x}-{key:x}");
        }
        let place = if self.descending { !key } else { key };
        let name = usize::try_from(place).ok().and_then(|place| self.names.get(place));
        format!("{id:x}-{}", name.map_or("", String::as_str))
    }

    /// The rank that a cursor stands for; `None` if it is none.
    fn parse(&self, cursor: &str) -> Option<Rank> {
        let (id, key) = cursor.split_once('-')?;
        let id = u64::from_str_radix(id, 16).ok()?;
        if self.by != SortBy::Name {
            return Some((u64::from_str_radix(key, 16).ok()?, id));
        }
        let place = self.names.partition_point(|name| name.as_str() < key) as u64;
        Some((if self.descending { !place } else { place }, id))
    }
}

/// Which live tasks a page shows.
struct LiveFilter<'a> {
    query: &'a TaskQuery,
    /// For each group whether its name and kind pass.
    groups: Vec<bool>,
    /// The parents that live, where only tasks without one are wanted.
    parents: Option<HashSet<u64>>,
    tests: Tests<'a>,
}

impl<'a> LiveFilter<'a> {
    fn new(query: &'a TaskQuery, filter: &'a Filter, describer: &Describer) -> Self {
        let passes = |group: &&'static Group| {
            query.name.as_deref().is_none_or(|name| name == &*group.name)
                && query.kind.is_none_or(|kind| kind == group.kind)
                && query.group.is_none_or(|id| id.get() == group.id)
        };
        let groups = describer.groups.iter().map(passes).collect();
        let parents = query.roots.then(live_parents);
        Self { query, groups, parents, tests: Tests::new(filter, &describer.groups) }
    }

    fn admits(&self, task: &Reading, describer: &Describer) -> bool {
        self.groups.get(task.group() as usize).copied().unwrap_or(false)
            && self.query.parent.is_none_or(|parent| task.parent() == Some(parent.get()))
            && self.query.state.is_none_or(|state| describer.state(task) == state)
            && self
                .parents
                .as_ref()
                .is_none_or(|parents| task.parent().is_none_or(|id| !parents.contains(&id)))
            && self.tests.admit_live(task, describer)
    }
}

/// The tasks that live and have live children.
fn live_parents() -> HashSet<u64> {
    let mut parents = HashSet::new();
    read::live().for_each(|(_, task)| parents.extend(task.parent()));
    let mut live = HashSet::new();
    if !parents.is_empty() {
        read::live().for_each(|(_, task)| live.extend(Some(task.id()).filter(|id| parents.contains(id))));
    }
    live
}

/// How many live children these tasks have. One pass, in which a task without a parent costs nothing.
fn add_children(tasks: &mut [TaskInfo]) {
    let mut counts: HashMap<u64, usize, foldhash::fast::RandomState> =
        tasks.iter().map(|task| (task.id.get(), 0)).collect();
    read::live().for_each(|(_, task)| {
        if let Some(count) = task.parent().and_then(|parent| counts.get_mut(&parent)) {
            *count += 1;
        }
    });
    tasks.iter_mut().for_each(|task| task.children = counts.get(&task.id.get()).copied().unwrap_or(0));
}

/// The terms of a filter, with what many tasks share looked at once: a million tasks of a few groups cost as
/// many looks at a table.
struct Tests<'a> {
    terms: Vec<Prepared<'a>>,
    hides_fields: bool,
    hides_messages: bool,
}

struct Prepared<'a> {
    term: &'a Term,
    /// For each group whether it fits; of a text, whether the group has it.
    groups: Vec<bool>,
    /// Of a text: the states that have it, and the task that it is the id of.
    states: Vec<State>,
    id: Option<u64>,
}

impl<'a> Tests<'a> {
    fn new(filter: &'a Filter, groups: &[&'static Group]) -> Self {
        let config = &registry().config;
        Self {
            terms: filter.terms.iter().map(|term| Prepared::new(term, groups)).collect(),
            hides_fields: config.hides_fields(),
            hides_messages: config.hides_messages(),
        }
    }

    fn admit_live(&self, task: &Reading, describer: &Describer) -> bool {
        self.terms.iter().all(|it| self.fits_live(it, task, describer) != it.term.excludes)
    }

    fn admit_finished(&self, record: &Record, note: Option<&Note>) -> bool {
        self.terms.iter().all(|it| self.fits_finished(it, record, note) != it.term.excludes)
    }

    fn fits_live(&self, it: &Prepared<'_>, task: &Reading, describer: &Describer) -> bool {
        let in_details = |test: &dyn Fn(&Details) -> bool| {
            task.has(DETAILS) && registry().details.read(task.id(), test).unwrap_or(false)
        };
        match &it.term.test {
            Test::State(states) => states.contains(&describer.state(task)),
            Test::Outcome(_) | Test::Message(_) => false,
            Test::Age(comparison, limit) => {
                comparison.admits(clock::between(task.started, describer.now), *limit)
            }
            Test::Field(..) | Test::TraceId(_) | Test::Status(_) => {
                in_details(&|details| self.fits_details(&it.term.test, details))
            }
            Test::Text(_) => {
                it.has_shared(task)
                    || it.states.contains(&describer.state(task))
                    || in_details(&|details| self.fits_details(&it.term.test, details))
            }
            _ => it.fits_any(task),
        }
    }

    fn fits_finished(&self, it: &Prepared<'_>, record: &Record, note: Option<&Note>) -> bool {
        let task = &record.task;
        let details = note.and_then(|note| note.details.as_deref());
        let in_details = || details.is_some_and(|details| self.fits_details(&it.term.test, details));
        let message = note.and_then(|note| note.message.as_deref()).filter(|_| !self.hides_messages);
        match &it.term.test {
            Test::State(_) => false,
            Test::Outcome(outcomes) => outcomes.contains(&record.outcome),
            Test::Message(texts) => {
                message.is_some_and(|message| texts.iter().any(|text| has(message, text)))
            }
            Test::Age(comparison, limit) => {
                comparison.admits(clock::between(task.started, record.ended), *limit)
            }
            Test::Field(..) | Test::TraceId(_) | Test::Status(_) => in_details(),
            Test::Text(text) => {
                it.has_shared(task)
                    || has(record.outcome.as_str(), text)
                    || message.is_some_and(|message| has(message, text))
                    || in_details()
            }
            _ => it.fits_any(task),
        }
    }

    fn fits_details(&self, test: &Test, details: &Details) -> bool {
        let fields = if self.hides_fields { &[][..] } else { &details.fields[..] };
        let status = details.status();
        match test {
            Test::Field(key, values) => {
                let mut fields = fields.iter().filter(|(known, _)| known == key);
                fields.any(|(_, value)| values.iter().any(|pattern| pattern.fits(value)))
            }
            Test::TraceId(ids) => {
                let known = details.trace_id.as_deref().filter(|_| !self.hides_fields);
                known.is_some_and(|known| ids.iter().any(|pattern| pattern.fits(known)))
            }
            Test::Status(texts) => status.is_some_and(|status| texts.iter().any(|text| has(status, text))),
            Test::Text(text) => {
                let fields = fields.iter().flat_map(|(key, value)| [key.as_ref(), value.as_str()]);
                let trace_id = details.trace_id.as_deref().filter(|_| !self.hides_fields);
                fields
                    .chain(status.map(|status| &**status))
                    .chain(trace_id)
                    .any(|candidate| has(candidate, text))
            }
            _ => false,
        }
    }
}

impl<'a> Prepared<'a> {
    fn new(term: &'a Term, groups: &[&'static Group]) -> Self {
        let groups = groups.iter().map(|group| fits_group(&term.test, group)).collect();
        let mut prepared = Self { term, groups, states: Vec::new(), id: None };
        if let Test::Text(text) = &term.test {
            prepared.states = State::ALL.iter().copied().filter(|state| has(state.as_str(), text)).collect();
            prepared.id = text.trim_start_matches('#').parse().ok();
        }
        prepared
    }

    /// Whether the task's group has the text, or it is its id.
    fn has_shared(&self, task: &Reading) -> bool {
        self.fits_group(task) || self.id == Some(task.id())
    }

    fn fits_group(&self, task: &Reading) -> bool {
        self.groups.get(task.group() as usize).copied().unwrap_or(false)
    }

    /// Whether a task, alive or not, fits what does not depend on that.
    fn fits_any(&self, task: &Reading) -> bool {
        match &self.term.test {
            Test::Policy(policies) => policies.contains(&task.policy()),
            Test::Parent(ids) => task.parent().is_some_and(|parent| ids.contains(&parent)),
            Test::Id(ids) => ids.contains(&task.id()),
            _ => self.fits_group(task),
        }
    }
}

fn fits_group(test: &Test, group: &Group) -> bool {
    let mut labels = group.labels.iter();
    match test {
        Test::Kind(kinds) => kinds.contains(&group.kind),
        Test::Name(patterns) => patterns.iter().any(|pattern| pattern.finds(&group.name)),
        Test::Location(texts) => texts.iter().any(|text| has(&group.location, text)),
        Test::Label(key, values) => {
            labels.any(|(known, value)| known == key && values.iter().any(|pattern| pattern.fits(value)))
        }
        Test::Group(ids) => ids.contains(&u64::from(group.id)),
        Test::Text(text) => {
            let labels = labels.flat_map(|(key, value)| [key, value]);
            let mut texts = labels.chain([&*group.name, group.kind.as_str(), &*group.location]);
            texts.any(|candidate| has(candidate, text))
        }
        _ => false,
    }
}

/// One page of finished tasks, newest first.
pub(crate) fn finished_page(query: &FinishedQuery) -> Result<Page<FinishedTask>, CursorError> {
    Ok(finished(query, false)?.0)
}

/// The same; but if more that were ok fit than a page has, it is without them, and they come by group.
pub(crate) fn folded_page(query: &FinishedQuery) -> Result<(Page<FinishedTask>, Vec<OkGroup>), CursorError> {
    finished(query, true)
}

fn finished(query: &FinishedQuery, folds: bool) -> Result<(Page<FinishedTask>, Vec<OkGroup>), CursorError> {
    let mut describer = Describer::new();
    let registry = registry();
    let history = registry.histories.read(registry.config.history());
    let filter = with_text(&query.filter, query.search.as_deref());
    let tests = Tests::new(&filter, &describer.groups);
    let after = start(query.cursor.as_deref(), parse_finished)?;
    let matches = |record: &&Record| {
        let group = describer.group(&record.task);
        query.name.as_deref().is_none_or(|name| name == &*group.name)
            && query.kind.is_none_or(|kind| kind == group.kind)
            && query.group.is_none_or(|id| id.get() == group.id)
            && query.outcome.is_none_or(|outcome| outcome == record.outcome)
            && tests.admit_finished(record, history.notes.get(&record.task.id()).map(|note| &**note))
    };
    let limit = bounded(query.limit);
    let mut matching: Vec<&Record> = history.records.iter().filter(matches).collect();
    let mut folded = Vec::new();
    let is_ok = |record: &&Record| record.outcome == Outcome::Ok;
    if folds && limit < matching.iter().copied().filter(is_ok).count() {
        let (ok, others) = matching.into_iter().partition::<Vec<_>, _>(is_ok);
        folded = fold::by_group(&ok, &describer);
        matching = others;
    }
    let rest = matching.iter().filter(|record| after.is_none_or(|after| place(record) < after));
    let page: Vec<&&Record> = rest.take(limit + 1).collect();
    let next =
        page.get(limit).map(|_| format!("{:x}-{:x}", place(page[limit - 1]).1, place(page[limit - 1]).0));
    let items = page
        .iter()
        .take(limit)
        .map(|record| describer.finished(record, history.notes.get(&record.task.id())))
        .collect();
    Ok((Page { total: matching.len(), items, next }, folded))
}

fn place(record: &Record) -> Rank {
    (record.ended, record.task.id())
}

fn parse_finished(cursor: &str) -> Option<Rank> {
    let (id, ended) = cursor.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(ended)?, number(id)?))
}

/// Where a page begins, if it is not the first.
fn start(cursor: Option<&str>, parse: impl Fn(&str) -> Option<Rank>) -> Result<Option<Rank>, CursorError> {
    cursor.map(|cursor| parse(cursor).ok_or_else(|| CursorError::new(cursor))).transpose()
}
