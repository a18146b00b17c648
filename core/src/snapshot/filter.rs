//! The language of searches: `state:blocked age:>5m label.provider:ses "out of memory"`.
//!
//! A search is a list of terms, all of which must fit. A term `key:value` names what it is about; any other
//! is a text looked for in whatever a task shows. `,` separates alternatives, `-` before a term excludes what
//! fits it, quotes keep spaces and colons together.

use std::error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::name::{MAX_NAME, cut, fits};
use crate::outcome::Outcome;
use crate::registry::kind::{Kind, OnShutdown};
use crate::snapshot::State;

/// Terms in one search.
const MAX_TERMS: usize = 16;
/// Bytes in one search.
const MAX_LENGTH: usize = 1024;

/// Which tasks a search finds.
///
/// # Syntax
///
/// All terms must fit: `state:blocked age:>5m`. In values, `,` separates alternatives and case does not
/// count. `-` before a term excludes what fits it. Quotes keep spaces and colons together: `name:"nightly
/// import"`, `"http://"`.
///
/// | Term | Finds |
/// |---|---|
/// | `state:queued`, `idle`, `running`, `blocked`, `limited` | live tasks in that state |
/// | `outcome:ok`, `error`, `panic`, … | finished tasks that ended so |
/// | `kind:task`, `local`, `blocking`, `future`, `request`, `service`, `timer` | tasks of that kind |
/// | `on_shutdown:wait`, `cancel`, `last`, `detach`, `connection` | tasks with that policy |
/// | `name:send` | names with that text; `name:send-*` the whole name, `*` for any text |
/// | `location:src/mail.rs` | spawned at a place with that text |
/// | `label.provider:ses` | tasks whose label has this value, `*` for any text |
/// | `field.order_id:42` | tasks whose field has this value, `*` for any text |
/// | `trace_id:4bf92f35*` | tasks whose spawn belongs to this trace |
/// | `status:retrying`, `message:refused` | a status or failure with that text |
/// | `age:>5m`, `age:<1s` | older or younger; of a finished task its duration |
/// | `group:3`, `parent:17`, `id:21` | one group, the children of a task, one task |
///
/// Ages: `us`, `ms`, `s`, `m`, `h`, `d`; a number alone is seconds.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// use headcount::snapshot::{Filter, TaskQuery, tasks};
///
/// let filter: Filter = "state:idle age:>5m".parse().unwrap();
/// let query = TaskQuery::default().filter(filter);
/// assert_eq!(tasks(&query).unwrap().total, 0);
/// assert!("stat:idle".parse::<Filter>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub(crate) terms: Vec<Term>,
}

/// One condition of a [`Filter`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) excludes: bool,
    pub(crate) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    State(Vec<State>),
    Outcome(Vec<Outcome>),
    Kind(Vec<Kind>),
    Policy(Vec<OnShutdown>),
    Name(Vec<Pattern>),
    Location(Vec<String>),
    Label(String, Vec<Pattern>),
    Field(String, Vec<Pattern>),
    TraceId(Vec<Pattern>),
    Status(Vec<String>),
    Message(Vec<String>),
    Age(Comparison, Duration),
    Group(Vec<u64>),
    Parent(Vec<u64>),
    Id(Vec<u64>),
    /// In whatever a task shows; lowercase.
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Comparison {
    Over,
    Under,
}

impl Comparison {
    pub(crate) fn admits(self, age: Duration, limit: Duration) -> bool {
        match self {
            Self::Over => limit < age,
            Self::Under => age < limit,
        }
    }
}

/// A lowercase text; with `*` for any text it must fit the whole, without it is looked for or equal, as the
/// term says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    text: String,
    has_star: bool,
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_lowercase(), has_star: text.contains('*') }
    }

    /// Whether it is somewhere in a text, or fits all of it.
    pub(crate) fn finds(&self, text: &str) -> bool {
        if self.has_star { self.fits(text) } else { has(text, &self.text) }
    }

    /// Whether it fits the whole text.
    pub(crate) fn fits(&self, text: &str) -> bool {
        fits(&self.text, &text.to_lowercase())
    }
}

/// Whether a lowercase text is somewhere in another, in any case.
pub(crate) fn has(candidate: &str, lowercase: &str) -> bool {
    if lowercase.is_empty() {
        return true;
    }
    if !candidate.is_ascii() {
        return candidate.to_lowercase().contains(lowercase);
    }
    let mut places = candidate.as_bytes().windows(lowercase.len());
    places.any(|place| place.eq_ignore_ascii_case(lowercase.as_bytes()))
}

/// A search that cannot be understood. Its text names the term and what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    term: String,
    expected: String,
}

impl FilterError {
    fn new(term: &str, expected: impl Into<String>) -> Self {
        Self { term: cut(term.into(), MAX_NAME).into_owned(), expected: expected.into() }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.term, self.expected)
    }
}

impl error::Error for FilterError {}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if MAX_LENGTH < text.len() {
            return Err(FilterError::new(text, format!("expected at most {MAX_LENGTH} bytes")));
        }
        let words = words(text)?;
        if MAX_TERMS < words.len() {
            return Err(FilterError::new(text, format!("expected at most {MAX_TERMS} terms")));
        }
        Ok(Self { terms: words.iter().map(Term::parse).collect::<Result<_, _>>()? })
    }
}

impl Filter {
    /// Whether it finds every task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Finds a text in whatever a task shows, taken as it is.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        let term = Term { excludes: false, test: Test::Text(text) };
        Self { terms: if term.test == Test::Text(String::new()) { Vec::new() } else { vec![term] } }
    }
}

/// A word between spaces: its text without quotes, and the place of the first colon that stands outside of
/// them.
#[derive(Debug, Default)]
struct Word {
    text: String,
    colon: Option<usize>,
    /// Whether it begins in quotes: then it is a text, whatever is in it.
    is_quoted: bool,
    /// The commas outside of quotes.
    commas: Vec<usize>,
}

fn words(text: &str) -> Result<Vec<Word>, FilterError> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut in_quotes = false;
    for character in text.chars() {
        if character.is_whitespace() && !in_quotes {
            words.extend(word.take());
            continue;
        }
        let is_first = word.is_none();
        let word = word.get_or_insert_with(Word::default);
        match character {
            '"' => {
                word.is_quoted |= is_first;
                in_quotes = !in_quotes;
                continue;
            }
            ':' if !in_quotes && word.colon.is_none() => word.colon = Some(word.text.len()),
            ',' if !in_quotes => word.commas.push(word.text.len()),
            _ => {}
        }
        word.text.push(character);
    }
    if in_quotes {
        return Err(FilterError::new(text, "a quote is not closed"));
    }
    words.extend(word);
    words.retain(|word| !word.text.is_empty());
    Ok(words)
}

const KEYS: &str = "state, outcome, kind, on_shutdown, name, location, label.KEY, field.KEY, trace_id, status, message, age, group, \
                    parent and id";

impl Term {
    fn parse(word: &Word) -> Result<Self, FilterError> {
        let excludes = !word.is_quoted && 1 < word.text.len() && word.text.starts_with('-');
        let skipped = usize::from(excludes);
        let test = match word.colon.and_then(|colon| word.split(skipped, colon)) {
            Some((key, values)) => Test::parse(word, key, &values)?,
            None => Test::Text(word.text[skipped..].to_lowercase()),
        };
        Ok(Self { excludes, test })
    }
}

impl Word {
    /// Key and values, if it reads like a filter: paths of code, places and addresses do not.
    fn split(&self, skipped: usize, colon: usize) -> Option<(&str, Vec<&str>)> {
        let key = &self.text[skipped..colon];
        let rest = &self.text[colon + 1..];
        let owned_key = key.strip_prefix("label.").or_else(|| key.strip_prefix("field."));
        let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        let is_path = rest.starts_with(':') || rest.starts_with("//");
        if self.is_quoted || is_path || !(is_word || owned_key.is_some_and(|key| !key.is_empty())) {
            return None;
        }
        let mut values = Vec::new();
        let mut from = colon + 1;
        for comma in self.commas.iter().copied().filter(|comma| colon < *comma) {
            values.push(&self.text[from..comma]);
            from = comma + 1;
        }
        values.push(&self.text[from..]);
        Some((key, values))
    }
}

impl Test {
    fn parse(word: &Word, key: &str, values: &[&str]) -> Result<Self, FilterError> {
        let refuse = |expected: &str| FilterError::new(&word.text, expected);
        if values.iter().any(|value| value.is_empty()) {
            return Err(refuse("a value is missing"));
        }
        let lower = || values.iter().map(|value| value.to_lowercase()).collect::<Vec<_>>();
        let patterns = || values.iter().map(|value| Pattern::new(value)).collect::<Vec<_>>();
        let numbers = || {
            let number = |value: &&str| value.trim_start_matches('#').parse().ok();
            values.iter().map(number).collect::<Option<Vec<u64>>>().ok_or_else(|| refuse("expected a number"))
        };
        Ok(match key {
            "state" => Self::State(named(word, values, State::ALL, State::as_str)?),
            "outcome" => Self::Outcome(named(word, values, Outcome::ALL, Outcome::as_str)?),
            "kind" => Self::Kind(named(word, values, Kind::ALL, Kind::as_str)?),
            "on_shutdown" => Self::Policy(named(word, values, OnShutdown::ALL, OnShutdown::as_str)?),
            "name" => Self::Name(patterns()),
            "location" => Self::Location(lower()),
            "status" => Self::Status(lower()),
            "trace_id" => Self::TraceId(patterns()),
            "message" => Self::Message(lower()),
            "age" => {
                let (comparison, limit) = age(values).ok_or_else(|| {
                    refuse("expected a comparison with a length of time: age:>5m, age:<250ms")
                })?;
                Self::Age(comparison, limit)
            }
            "group" => Self::Group(numbers()?),
            "parent" => Self::Parent(numbers()?),
            "id" => Self::Id(numbers()?),
            _ => match key.split_once('.') {
                Some(("label", label)) => Self::Label(label.to_owned(), patterns()),
                Some(("field", field)) => Self::Field(field.to_owned(), patterns()),
                _ => {
                    let expected = format!(
                        "no filter {key:?}; there are {KEYS}. Put the term in quotes to search for its text"
                    );
                    return Err(refuse(&expected));
                }
            },
        })
    }
}

/// The values that go by these names.
fn named<T: Copy>(
    word: &Word,
    values: &[&str],
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, FilterError> {
    let find = |value: &&str| all.iter().copied().find(|known| name(*known).eq_ignore_ascii_case(value));
    values.iter().map(find).collect::<Option<_>>().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|known| name(*known)).collect();
        FilterError::new(&word.text, format!("expected one of {}", names.join(", ")))
    })
}

/// `>5m`, `<1h30m`, `>250ms`.
fn age(values: &[&str]) -> Option<(Comparison, Duration)> {
    let [value] = values else { return None };
    let (comparison, rest) = match value.strip_prefix('>') {
        Some(rest) => (Comparison::Over, rest),
        None => (Comparison::Under, value.strip_prefix('<')?),
    };
    Some((comparison, length(rest.strip_prefix('=').unwrap_or(rest))?))
}

/// One or more numbers with units, the largest first by custom; a number alone is seconds.
fn length(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let unit_length = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_length);
        let seconds = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(all(test, not(headcount_loom)))]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn tests(text: &str) -> Vec<Test> {
        text.parse::<Filter>().unwrap().terms.into_iter().map(|term| term.test).collect()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Filter>().unwrap_err().to_string()
    }

    #[test]
    fn terms_name_what_they_are_about() {
        assert_eq!(
            tests("state:Blocked,idle age:>1h30m label.provider:ses kind:blocking"),
            [
                Test::State(vec![State::Blocked, State::Idle]),
                Test::Age(Comparison::Over, Duration::from_secs(5400)),
                Test::Label("provider".into(), vec![Pattern::new("ses")]),
                Test::Kind(vec![Kind::Blocking]),
            ]
        );
        assert_eq!(tests("group:3 parent:#17"), [Test::Group(vec![3]), Test::Parent(vec![17])]);
        let excluded: Filter = "-outcome:ok".parse().unwrap();
        assert!(excluded.terms[0].excludes);
    }

    #[test]
    fn what_reads_like_code_or_is_quoted_is_a_text() {
        for text in
            ["src/main.rs:41", "shop::mail::send", "http://x", "main.rs:4", "#17", "\"order:42\"", "-"]
        {
            assert!(matches!(tests(text)[..], [Test::Text(_)]), "{text}");
        }
        assert_eq!(tests("\"Out of Memory\""), [Test::Text("out of memory".into())]);
        assert_eq!(
            tests("name:\"a b,c\",d")[..],
            [Test::Name(vec![Pattern::new("a b,c"), Pattern::new("d")])]
        );
        assert_eq!(tests("  "), []);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        assert!(refusal("stat:idle").contains("no filter \"stat\"; there are state, outcome"));
        assert!(refusal("state:asleep").contains("expected one of queued, idle, running, blocked"));
        for text in ["age:5m", "age:>", "age:>5 m", "age:>x", "age:>1e999", "age:>5parsecs", "age:>1s,2s"] {
            assert!(text.parse::<Filter>().is_err() || text == "age:>5 m", "{text}");
        }
        assert!(refusal("group:x").contains("expected a number"));
        assert!(refusal("name:").contains("a value is missing"));
        assert!(refusal("name:\"a").contains("a quote is not closed"));
        assert!(refusal(&"a ".repeat(17)).contains("at most 16 terms"));
        assert!(refusal(&"a".repeat(1025)).contains("at most 1024 bytes"));
    }

    #[test]
    fn lengths_of_time_have_units() {
        for (text, millis) in
            [("250ms", 250), ("1.5s", 1500), ("2", 2000), ("1h", 3_600_000), ("1m1s", 61_000)]
        {
            assert_eq!(length(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(length(""), None);
        assert_eq!(length("-5s"), None);
    }

    #[test]
    fn patterns_with_stars_fit_the_whole() {
        assert!(Pattern::new("send").finds("RESEND-email") && Pattern::new("send-*").finds("Send-Email"));
        assert!(!Pattern::new("send-*").finds("resend-email"));
    }
}
