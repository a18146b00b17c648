//! The spawn forms that are known: functions by their path, methods by the type they belong to.

use std::fmt;

/// A type with methods that spawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    Handle,
    Runtime,
    LocalRuntime,
    RuntimeBuilder,
    JoinSet,
    JoinMap,
    LocalSet,
    LocalPoolHandle,
    TaskBuilder,
    TaskTracker,
    Arbiter,
    /// What `headcount::task(…)` gives.
    Headcount,
}

/// Types by the last segment of their path and the crate they are of, whatever module re-exports them there.
const CLASSES: &[(&str, &str, Class)] = &[
    ("tokio", "Handle", Class::Handle),
    ("tokio", "Runtime", Class::Runtime),
    ("tokio", "LocalRuntime", Class::LocalRuntime),
    ("tokio", "JoinSet", Class::JoinSet),
    ("tokio", "LocalSet", Class::LocalSet),
    ("tokio_util", "JoinMap", Class::JoinMap),
    ("tokio_util", "LocalPoolHandle", Class::LocalPoolHandle),
    ("tokio_util", "TaskTracker", Class::TaskTracker),
    ("actix_rt", "Arbiter", Class::Arbiter),
    ("actix_rt", "ArbiterHandle", Class::Arbiter),
    ("headcount", "TaskBuilder", Class::Headcount),
];

impl Class {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handle => "Handle",
            Self::Runtime => "Runtime",
            Self::LocalRuntime => "LocalRuntime",
            Self::RuntimeBuilder => "runtime::Builder",
            Self::JoinSet => "JoinSet",
            Self::JoinMap => "JoinMap",
            Self::LocalSet => "LocalSet",
            Self::LocalPoolHandle => "LocalPoolHandle",
            Self::TaskBuilder => "task::Builder",
            Self::TaskTracker => "TaskTracker",
            Self::Arbiter => "Arbiter",
            Self::Headcount => "headcount",
        }
    }

    /// The class of an external type's path.
    pub(crate) fn of(path: &[String]) -> Option<Self> {
        let path = normal(path);
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts[..] {
            ["tokio", "task", "Builder"] => return Some(Self::TaskBuilder),
            ["tokio", "runtime", "Builder"] => return Some(Self::RuntimeBuilder),
            _ => {}
        }
        let (first, last) = (parts.first()?, parts.last()?);
        CLASSES.iter().find(|(krate, name, _)| krate == first && name == last).map(|(_, _, class)| *class)
    }

    /// Whether a method of this type spawns.
    pub(crate) fn spawns(self, method: &str) -> bool {
        match self {
            Self::RuntimeBuilder => false,
            Self::LocalPoolHandle => method.starts_with("spawn_pinned"),
            Self::Handle | Self::Runtime => matches!(method, "spawn" | "spawn_blocking"),
            Self::LocalRuntime => matches!(method, "spawn_local" | "spawn_blocking"),
            Self::LocalSet => method == "spawn_local",
            Self::Arbiter => matches!(method, "spawn" | "spawn_fn"),
            _ => method == "spawn" || method.starts_with("spawn_"),
        }
    }

    /// The class that a method of this type gives.
    pub(crate) fn after(self, method: &str) -> Option<Self> {
        match (self, method) {
            (Self::Runtime | Self::LocalRuntime, "handle") => Some(Self::Handle),
            (Self::RuntimeBuilder, "build") => Some(Self::Runtime),
            (Self::RuntimeBuilder, "build_local") => Some(Self::LocalRuntime),
            (Self::RuntimeBuilder, _) => Some(Self::RuntimeBuilder),
            (Self::Headcount, method) if !method.starts_with("spawn") && method != "track" => {
                Some(Self::Headcount)
            }
            (Self::TaskBuilder, "name") | (Self::JoinSet | Self::JoinMap, "build_task") => {
                Some(Self::TaskBuilder)
            }
            (Self::Arbiter, "handle") => Some(Self::Arbiter),
            _ => None,
        }
    }
}

/// A way to spawn.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Form {
    /// `tokio::spawn`, `tokio::task::spawn`.
    Spawn,
    SpawnBlocking,
    SpawnLocal,
    /// `actix_rt::spawn` and `actix_web::rt::spawn`, which are tokio's `spawn_local`.
    Actix,
    /// A method of a type.
    Method(Class, String),
    /// `hyper_util::rt::TokioExecutor`, which spawns whatever a server or client gives it.
    Executor,
    /// One of headcount's own.
    Headcount(String),
    /// A method call `.spawn…(…)` of a receiver whose type is not known.
    Unresolved(String),
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn => formatter.write_str("tokio::spawn"),
            Self::SpawnBlocking => formatter.write_str("spawn_blocking"),
            Self::SpawnLocal => formatter.write_str("spawn_local"),
            Self::Actix => formatter.write_str("actix_rt::spawn"),
            Self::Method(class, method) => write!(formatter, "{}::{method}", class.name()),
            Self::Executor => formatter.write_str("TokioExecutor"),
            Self::Headcount(name) => write!(formatter, "headcount::{name}"),
            Self::Unresolved(method) => write!(formatter, "?.{method}"),
        }
    }
}

impl Form {
    /// The form of a function or type that is used by its path.
    pub(crate) fn of(path: &[String]) -> Option<Self> {
        let path = normal(path);
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts[..] {
            ["tokio", "spawn"] | ["tokio", "task", "spawn"] => Some(Self::Spawn),
            ["tokio", "task", "spawn_blocking"] => Some(Self::SpawnBlocking),
            ["tokio", "task", "spawn_local"] => Some(Self::SpawnLocal),
            ["actix_rt", "spawn"] => Some(Self::Actix),
            ["hyper_util", "rt", "TokioExecutor"]
            | ["hyper_util", "rt", "tokio", "TokioExecutor"]
            | ["hyper_util", "rt", "TokioExecutor", "new" | "default"] => Some(Self::Executor),
            ["headcount", name] if name == "track" || name.starts_with("spawn") => {
                Some(Self::Headcount(name.to_owned()))
            }
            [.., method] if parts.len() >= 3 => {
                let class = Class::of(&path[..path.len() - 1])?;
                class.spawns(method).then(|| Self::Method(class, method.to_owned()))
            }
            _ => None,
        }
    }

    /// Whether a call counts as plain: spawned past headcount, which does not see it.
    pub(crate) fn plain(&self) -> bool {
        !matches!(
            self,
            Self::Headcount(_) | Self::Unresolved(_) | Self::Executor | Self::Method(Class::Headcount, _)
        )
    }
}

/// A path without what re-exports tokio, so that each item has one path.
fn normal(path: &[String]) -> Vec<String> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let renamed: Vec<&str> = match parts[..] {
        ["actix_web" | "actix", "rt", ref rest @ ..] => [&["actix_rt"], rest].concat(),
        ["headcount_core", ref rest @ ..] => [&["headcount"], rest].concat(),
        ["actix", rest @ ("spawn" | "Arbiter" | "ArbiterHandle")] => vec!["actix_rt", rest],
        _ => parts,
    };
    match renamed[..] {
        ["actix_rt", "task", ref rest @ ..] => [&["tokio", "task"], rest].concat(),
        _ => renamed,
    }
    .into_iter()
    .map(str::to_owned)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn paths_have_their_form() {
        let cases = [
            ("tokio::spawn", Some("tokio::spawn")),
            ("tokio::task::spawn", Some("tokio::spawn")),
            ("tokio::task::spawn_blocking", Some("spawn_blocking")),
            ("actix_web::rt::task::spawn_blocking", Some("spawn_blocking")),
            ("actix_web::rt::spawn", Some("actix_rt::spawn")),
            ("tokio::task::JoinSet::spawn", Some("JoinSet::spawn")),
            ("tokio::runtime::Handle::spawn", Some("Handle::spawn")),
            ("tokio_util::task::TaskTracker::spawn_on", Some("TaskTracker::spawn_on")),
            ("headcount_core::spawn", Some("headcount::spawn")),
            ("std::thread::spawn", None),
            ("tokio::task::block_in_place", None),
            ("tokio::process::Command::spawn", None),
        ];
        for (text, form) in cases {
            assert_eq!(Form::of(&path(text)).map(|form| form.to_string()).as_deref(), form, "{text}");
        }
    }
}
