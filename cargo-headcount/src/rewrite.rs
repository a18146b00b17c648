//! What becomes of each spawn: the edits that turn it into headcount's, or why it is left.

use crate::cli::Migrate;
use crate::edit::Edit;
use crate::forms::{Class, Form};
use crate::scan::{Arg, Call, Receiver, ResultUse, Site};
use crate::source::Source;

/// The result for one spawn.
pub(crate) enum Rewrite {
    Edits(Vec<Edit>),
    /// Left as it is, and why.
    Left(&'static str),
    /// There is nothing to do.
    Fine,
}

/// What a rewrite needs to know beside the spawn.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Migrate,
    pub(crate) source: &'a Source,
    pub(crate) sites: &'a [Site],
    /// The crate's path: `headcount`, or `::headcount` where that name is taken.
    pub(crate) krate: String,
    /// A name that the task is to have.
    pub(crate) name: Option<&'a str>,
}

/// Macros whose arguments are the code of another crate.
const QUOTES: [&str; 6] =
    ["quote", "quote_spanned", "parse_quote", "parse_quote_spanned", "stringify", "an exported macro_rules"];

pub(crate) fn rewrite(site: &Site, context: &Context<'_>) -> Rewrite {
    if !site.is_plain() {
        return Rewrite::Fine;
    }
    if site.within_macro.as_ref().is_some_and(|name| QUOTES.contains(&name.as_str())) {
        return Rewrite::Left("code that another crate compiles");
    }
    if site.conditional {
        return Rewrite::Left("its name depends on cfg");
    }
    match (&site.form, &site.call) {
        (Form::Method(class, method), Call::Method { opening, generics }) => {
            let Some(receiver) = &site.receiver else { return Rewrite::Left("its receiver is not Rust") };
            if *generics {
                return Rewrite::Left("it has generic arguments");
            }
            let call = Method { site, context, name: method, receiver, opening: opening.clone() };
            call.rewrite(*class)
        }
        (Form::Method(Class::JoinSet, method), Call::Path(..)) if wraps(Class::JoinSet, method).is_some() => {
            track(site, context, 1)
        }
        (Form::Method(..), _) => Rewrite::Left("a method called by its path, or passed as a value"),
        (form, Call::Path(path, _)) => {
            Rewrite::Edits(vec![Edit::replace(path.clone(), context.call(function(form)))])
        }
        (form, Call::Value(path, _)) => Rewrite::Edits(vec![Edit::replace(
            path.clone(),
            format!("{}::{}", context.krate, function(form)),
        )]),
        (_, Call::Method { .. }) => Rewrite::Fine,
    }
}

fn function(form: &Form) -> &'static str {
    match form {
        Form::SpawnBlocking => "spawn_blocking",
        Form::SpawnLocal | Form::Actix => "spawn_local",
        _ => "spawn",
    }
}

impl Context<'_> {
    /// The path of a function, or of the method of a named task.
    fn call(&self, function: &str) -> String {
        match self.name {
            Some(name) => format!("{}::task({name:?}).{function}", self.krate),
            None => format!("{}::{function}", self.krate),
        }
    }
}

/// Which argument is the future that a set or tracker is given.
fn wraps(class: Class, method: &str) -> Option<usize> {
    match (class, method) {
        (Class::JoinSet | Class::TaskTracker, "spawn" | "spawn_on" | "spawn_local" | "spawn_local_on")
        | (Class::LocalSet, "spawn_local")
        | (Class::Arbiter, "spawn") => Some(0),
        (Class::JoinMap, "spawn" | "spawn_on" | "spawn_local" | "spawn_local_on") => Some(1),
        _ => None,
    }
}

/// Wraps an argument: `track(future)`.
fn track(site: &Site, context: &Context<'_>, at: usize) -> Rewrite {
    let Some(Arg { range, .. }) = site.args.get(at) else {
        return Rewrite::Left("its arguments are not Rust");
    };
    let call = site.range.start;
    Rewrite::Edits(vec![
        Edit::open(range.start, format!("{}(", context.call("track")), call),
        Edit::close(range.end, ")", call),
    ])
}

struct Method<'a> {
    site: &'a Site,
    context: &'a Context<'a>,
    name: &'a str,
    receiver: &'a Receiver,
    /// From the receiver to the parenthesis.
    opening: std::ops::Range<usize>,
}

impl Method<'_> {
    fn rewrite(&self, class: Class) -> Rewrite {
        match class {
            Class::Handle | Class::Runtime => self.runtime(class),
            Class::TaskBuilder => self.builder(),
            Class::JoinSet if self.name == "spawn" && self.context.options.spawn_in => self.spawn_in(),
            _ => match wraps(class, self.name) {
                Some(at) => track(self.site, self.context, at),
                None => Rewrite::Left("no future is given, so that none can be wrapped"),
            },
        }
    }

    fn runtime(&self, class: Class) -> Rewrite {
        let blocking = self.name == "spawn_blocking";
        if self.receiver.current {
            return Rewrite::Edits(vec![self.begin(self.name)]);
        }
        if blocking && !self.context.options.spawn_blocking_on {
            return Rewrite::Left("enter the runtime, then spawn_blocking; or --with spawn_blocking_on");
        }
        let text = self.receiver_text();
        let runtime = match class {
            Class::Runtime => format!("{text}.handle()"),
            _ if self.receiver.reference => text,
            _ => format!("&{text}"),
        };
        self.moved(if blocking { "spawn_blocking_on" } else { "spawn_on" }, |edits, end, call| {
            edits.push(Edit::close(end, format!(", {runtime}"), call));
        })
    }

    fn spawn_in(&self) -> Rewrite {
        // A receiver is borrowed mutably only once the arguments are evaluated, an argument at its place.
        if self.site.args.iter().any(|arg| !self.receiver.idents.is_disjoint(&arg.idents)) {
            return track(self.site, self.context, 0);
        }
        let text = self.receiver_text();
        let set =
            if self.receiver.reference && !self.receiver.computed { text } else { format!("&mut {text}") };
        self.moved("spawn_in", |edits, _, _| {
            let begin: &mut Edit = &mut edits[0];
            begin.text = format!("{}{set}, ", begin.text);
        })
    }

    /// The receiver becomes an argument.
    fn moved(&self, function: &str, place: impl FnOnce(&mut Vec<Edit>, usize, usize)) -> Rewrite {
        let [arg] = &self.site.args[..] else { return Rewrite::Left("its arguments are not Rust") };
        let inside = |other: &Site| {
            self.receiver.range.start <= other.range.start && other.range.end <= self.receiver.range.end
        };
        if self.context.sites.iter().any(inside) {
            return Rewrite::Left("its receiver spawns, too");
        }
        // A receiver is evaluated before the arguments, an argument in its order.
        if self.receiver.computed && !self.receiver.idents.is_disjoint(&arg.idents) {
            return Rewrite::Left("its receiver is computed from what the future takes");
        }
        let mut edits = vec![self.begin(function)];
        place(&mut edits, arg.range.end, self.site.range.start);
        Rewrite::Edits(edits)
    }

    fn begin(&self, function: &str) -> Edit {
        Edit::replace(self.opening.clone(), format!("{}(", self.context.call(function)))
    }

    fn receiver_text(&self) -> String {
        self.context.source.slice(&self.receiver.range).to_owned()
    }

    /// `task::Builder::new().name(x).spawn(f)` is `task(x).spawn(f)`, without a result around the handle.
    fn builder(&self) -> Rewrite {
        let Some(builder) = &self.receiver.builder else {
            return Rewrite::Left("a builder kept in a variable");
        };
        if !matches!(self.name, "spawn" | "spawn_on" | "spawn_local" | "spawn_blocking") {
            return Rewrite::Left("headcount has no such method");
        }
        let (source, krate) = (self.context.source, &self.context.krate);
        let call = &self.site.range;
        let mut edits = Vec::new();
        let opening = match (&builder.name, self.context.name) {
            (Some(name), _) => {
                let text = match &name.owned {
                    Some(owned) => source.slice(owned).to_owned(),
                    None if name.lasting => source.slice(&name.range).to_owned(),
                    None => format!("({}).to_string()", source.slice(&name.range)),
                };
                edits.push(Edit::replace(call.start..name.range.end, format!("{krate}::task({text}")));
                None
            }
            (None, Some(name)) => Some(format!("{krate}::task({name:?}).{}(", self.name)),
            (None, None) => Some(format!("{krate}::{}(", self.name)),
        };
        if let Some(opening) = opening {
            edits.push(Edit::replace(self.opening.clone(), opening));
        }
        match self.site.result {
            ResultUse::Unwrapped(end) => edits.push(Edit::replace(call.end..end, "")),
            ResultUse::Ignored => {}
            ResultUse::Used => {
                let first = edits.remove(0);
                let text = format!("Ok::<_, std::io::Error>({}", first.text);
                edits.insert(0, Edit::replace(first.range, text));
                edits.push(Edit::close(call.end, ")", call.start));
            }
        }
        Rewrite::Edits(edits)
    }
}
