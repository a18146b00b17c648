//! What is found in a file: spawns, functions that spawn for others, calls of functions.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::forms::Form;
use crate::index::ModuleId;

/// A place that spawns.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) form: Form,
    /// Under another `cfg` the name means something else.
    pub(crate) conditional: bool,
    /// The whole call, or the path where the function is passed as a value.
    pub(crate) range: Range<usize>,
    /// The name of what is called: where line and column point to.
    pub(crate) at: usize,
    pub(crate) call: Call,
    pub(crate) args: Vec<Arg>,
    /// What was written before the dot of a method call.
    pub(crate) receiver: Option<Receiver>,
    /// The path of the function around it.
    pub(crate) function: String,
    pub(crate) test: bool,
    /// The innermost macro that it stands in the arguments of.
    pub(crate) within_macro: Option<String>,
    /// The crates of headcount whose names mean something else at this place.
    pub(crate) taken: Vec<&'static str>,
    /// What it spawns is tracked already.
    pub(crate) tracked: bool,
    /// The variable that the handle is bound to.
    pub(crate) bound: Option<String>,
    /// What becomes of a result.
    pub(crate) result: ResultUse,
}

/// How a function is named at a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// `path(…)`: the bytes of the path without generic arguments, and its first segment.
    Path(Range<usize>, String),
    /// `path` as a value.
    Value(Range<usize>, String),
    /// `receiver.method(…)`, and whether generic arguments are given: the bytes up to and with the
    /// parenthesis.
    Method { opening: Range<usize>, generics: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub(crate) range: Range<usize>,
    pub(crate) shape: Shape,
    pub(crate) idents: BTreeSet<String>,
    pub(crate) tracked: bool,
}

/// What an argument looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An async block, with the one call that it awaits, if it is one.
    Block(Option<String>),
    Closure(Option<String>),
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) range: Range<usize>,
    pub(crate) reference: bool,
    /// More than a variable and fields of it.
    pub(crate) computed: bool,
    pub(crate) idents: BTreeSet<String>,
    /// For `task::Builder::new().name(x)`: the bytes of `x`, if it has a name.
    pub(crate) builder: Option<Builder>,
    /// It is `Handle::current()`.
    pub(crate) current: bool,
}

/// A chain that begins with `task::Builder::new()`.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    pub(crate) name: Option<NameArg>,
}

#[derive(Debug, Clone)]
pub(crate) struct NameArg {
    pub(crate) range: Range<usize>,
    /// A literal or a constant: what lives as long as the program.
    pub(crate) lasting: bool,
    /// The bytes behind a leading `&` of `&format!(…)`.
    pub(crate) owned: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultUse {
    /// `.unwrap()`, `.expect(…)` or `?` follows, and ends there.
    Unwrapped(usize),
    Ignored,
    Used,
}

/// A function that spawns what its caller gave it, or hands it on.
#[derive(Debug, Clone)]
pub(crate) struct Wrapper {
    pub(crate) name: String,
    /// It spawns itself.
    pub(crate) spawns: bool,
    /// Where it hands on what it was given: it is a wrapper if one of these is.
    pub(crate) through: Vec<Key>,
    pub(crate) at: usize,
    /// Where `#[track_caller]` goes; none where it is, or cannot be.
    pub(crate) insert: Option<usize>,
    pub(crate) key: Key,
}

/// A function by module and name, or a method by module, type and name.
pub(crate) type Key = (ModuleId, String, String);

/// What was found in a file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sites: Vec<Site>,
    pub(crate) wrappers: Vec<Wrapper>,
    /// How often each local function is called.
    pub(crate) calls: HashMap<Key, usize>,
}
