//! Pages of tasks: filtered, sorted, and of a million live ones no more is kept than two pages.

use std::error;
use std::fmt;

use crate::name::{MAX_NAME, cut};
use crate::registry::group::Group;
use crate::registry::history::Record;
use crate::registry::registry;
use crate::registry::slot::{DETAILS, Reading};
use crate::snapshot::read::Describer;
use crate::snapshot::{FinishedQuery, FinishedTask, Page, SortBy, SortOrder, State, TaskInfo, TaskQuery};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

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

/// One page of live tasks.
pub(crate) fn live_page(query: &TaskQuery) -> Result<Page<TaskInfo>, CursorError> {
    let mut describer = Describer::new();
    let sorting = Sorting::new(query, &describer.groups);
    let after = start(query.cursor.as_deref(), |cursor| sorting.parse(cursor))?;
    let filter = Filter::new(query, &describer);
    let limit = bounded(query.limit);
    let mut total = 0;
    let mut first = First::new(limit + 1);
    registry().slab.slots().for_each(|slot| {
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
    let items = tasks.iter().map(|(_, task)| describer.live(task)).collect();
    Ok(Page { total, items, next })
}

/// The first few of any number of tasks, in whatever order they come.
///
/// Twice as many as wanted are kept; when there is no more room, the later half goes, and from then on only what comes before
/// all of it is taken. A task so costs a comparison, and of those taken each its share of a partition: no order of arrival
/// makes that much.
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
struct Filter<'a> {
    query: &'a TaskQuery,
    search: Option<Search>,
    /// For each group whether its name and kind pass.
    groups: Vec<bool>,
}

impl<'a> Filter<'a> {
    fn new(query: &'a TaskQuery, describer: &Describer) -> Self {
        let passes = |group: &&'static Group| {
            query.name.as_deref().is_none_or(|name| name == &*group.name)
                && query.kind.is_none_or(|kind| kind == group.kind)
                && query.group.is_none_or(|id| id.get() == group.id)
        };
        let groups = describer.groups.iter().map(passes).collect();
        Self { query, search: Search::new(query.search.as_deref(), &describer.groups), groups }
    }

    fn admits(&self, task: &Reading, describer: &Describer) -> bool {
        self.groups.get(task.group() as usize).copied().unwrap_or(false)
            && self.query.parent.is_none_or(|parent| task.parent() == Some(parent.get()))
            && self.query.state.is_none_or(|state| describer.state(task) == state)
            && self.search.as_ref().is_none_or(|search| search.finds_live(task, describer))
    }
}

/// A text looked for, in any case.
///
/// What many tasks share is looked at once: a million tasks of a few groups cost as many looks at a table.
struct Search {
    text: String,
    /// For each group whether name, kind, labels or location have it.
    groups: Vec<bool>,
    /// The states that have it.
    states: Vec<State>,
    /// The task that it is the id of.
    id: Option<u64>,
    hides_fields: bool,
    hides_messages: bool,
}

impl Search {
    fn new(text: Option<&str>, groups: &[&'static Group]) -> Option<Self> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?.to_lowercase();
        let found = |group: &&'static Group| {
            let labels = group.labels.iter().flat_map(|(key, value)| [key, value]);
            let mut texts = labels.chain([&*group.name, group.kind.as_str(), &*group.location]);
            texts.any(|candidate| has(candidate, &text))
        };
        let groups = groups.iter().map(found).collect();
        let states = State::ALL.iter().copied().filter(|state| has(state.as_str(), &text)).collect();
        let id = text.trim_start_matches('#').parse().ok();
        let config = &registry().config;
        let (hides_fields, hides_messages) = (config.hides_fields(), config.hides_messages());
        Some(Self { text, groups, states, id, hides_fields, hides_messages })
    }

    fn finds_group(&self, task: &Reading) -> bool {
        self.groups.get(task.group() as usize).copied().unwrap_or(false)
    }

    fn finds_id(&self, task: &Reading) -> bool {
        self.id == Some(task.id())
    }

    fn finds_live(&self, task: &Reading, describer: &Describer) -> bool {
        let in_details =
            || registry().details.read(task.id(), |details| self.finds_details(details)).unwrap_or(false);
        self.finds_group(task)
            || self.finds_id(task)
            || self.states.contains(&describer.state(task))
            || (task.has(DETAILS) && in_details())
    }

    fn finds_message(&self, message: &str) -> bool {
        !self.hides_messages && has(message, &self.text)
    }

    fn finds_details(&self, details: &crate::registry::details::Details) -> bool {
        let shown = if self.hides_fields { &[][..] } else { &details.fields[..] };
        let fields = shown.iter().flat_map(|(key, value)| [key.as_ref(), value.as_str()]);
        fields.chain(details.status().map(|status| &**status)).any(|candidate| has(candidate, &self.text))
    }
}

fn has(candidate: &str, lowercase: &str) -> bool {
    if !candidate.is_ascii() {
        return candidate.to_lowercase().contains(lowercase);
    }
    let mut places = candidate.as_bytes().windows(lowercase.len());
    places.any(|place| place.eq_ignore_ascii_case(lowercase.as_bytes()))
}

/// One page of finished tasks, newest first.
pub(crate) fn finished_page(query: &FinishedQuery) -> Result<Page<FinishedTask>, CursorError> {
    let mut describer = Describer::new();
    let registry = registry();
    let history = registry.histories.read(registry.config.history());
    let search = Search::new(query.search.as_deref(), &describer.groups);
    let after = start(query.cursor.as_deref(), parse_finished)?;
    let matches = |record: &&Record| {
        let group = describer.group(&record.task);
        let note = history.notes.get(&record.task.id());
        let noted = |search: &Search| {
            let message = note.and_then(|note| note.message.as_deref());
            message.is_some_and(|message| search.finds_message(message))
                || note.and_then(|note| note.details.as_deref()).is_some_and(|it| search.finds_details(it))
        };
        query.name.as_deref().is_none_or(|name| name == &*group.name)
            && query.kind.is_none_or(|kind| kind == group.kind)
            && query.group.is_none_or(|id| id.get() == group.id)
            && query.outcome.is_none_or(|outcome| outcome == record.outcome)
            && search.as_ref().is_none_or(|search| {
                search.finds_group(&record.task)
                    || search.finds_id(&record.task)
                    || has(record.outcome.as_str(), &search.text)
                    || noted(search)
            })
    };
    let matching: Vec<&Record> = history.records.iter().filter(matches).collect();
    let rest = matching.iter().filter(|record| after.is_none_or(|after| place(record) < after));
    let limit = bounded(query.limit);
    let page: Vec<&&Record> = rest.take(limit + 1).collect();
    let next =
        page.get(limit).map(|_| format!("{:x}-{:x}", place(page[limit - 1]).1, place(page[limit - 1]).0));
    let items = page
        .iter()
        .take(limit)
        .map(|record| describer.finished(record, history.notes.get(&record.task.id())))
        .collect();
    Ok(Page { total: matching.len(), items, next })
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
