//! Schemas of single values, for which serde and utoipa have no common words.

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type};

use crate::snapshot::{Kind, OnShutdown, Outcome, State};

fn choice(values: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values)).build()
}

fn optional(object: Object) -> Object {
    let values = object.enum_values.map(|values| values.into_iter().chain([serde_json::Value::Null]));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .format(object.format)
        .enum_values(values)
        .build()
}

/// Whole numbers, with no format: `int64` would forbid what `u64` takes.
pub(in crate::admin) fn ids() -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build()
}

pub(in crate::admin) fn kinds() -> Object {
    choice(Kind::ALL.iter().map(|kind| kind.as_str()))
}

pub(in crate::admin) fn states() -> Object {
    choice(State::ALL.iter().map(|state| state.as_str()))
}

pub(in crate::admin) fn sorts() -> Object {
    choice(["age", "busy", "polls", "name"])
}

pub(in crate::admin) fn orders() -> Object {
    choice(["asc", "desc"])
}

pub(in crate::admin) fn optional_states() -> Object {
    optional(states())
}

pub(in crate::admin) fn optional_outcomes() -> Object {
    optional(outcomes())
}

pub(in crate::admin) fn date_time() -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build()
}

pub(in crate::admin) fn optional_date_time() -> Object {
    optional(date_time())
}

pub(in crate::admin) fn outcomes() -> Object {
    choice(Outcome::ALL.iter().map(|outcome| outcome.as_str()))
}

pub(in crate::admin) fn service_states() -> Object {
    choice(headcount_core::ServiceState::ALL.iter().map(|state| state.as_str()))
}

pub(in crate::admin) fn policies() -> Object {
    choice(OnShutdown::ALL.iter().map(|policy| policy.as_str()))
}

pub(in crate::admin) fn stages() -> Object {
    choice(["running", "announcing", "draining", "aborting", "lingering", "done"])
}

pub(in crate::admin) fn severities() -> Object {
    choice(["critical", "warning", "notice"])
}

pub(in crate::admin) fn bounds() -> Object {
    optional(choice(["about", "at_most"]))
}

pub(in crate::admin) fn stack_results() -> Object {
    choice(["waits", "went_on", "panicked", "ended", "blocked", "not_begun", "not_captured"])
}

/// A length of time as settings write it.
pub(in crate::admin) fn length() -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([0-9]{1,6}(ms|s|m|h) ?)+$")).build()
}
