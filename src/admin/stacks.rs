//! Where tasks wait, over HTTP. Asking polls the application's code, so it is a POST with the guards of an
//! action; the setting `stacks` permits it. The last answer can be read without asking.

use axum::Json;
use serde::Deserialize;

use super::extract::{Path, Query};
use super::problem::Problem;
use super::wire::{Stack, StackList};

/// How much of a stack.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct Whole {
    /// All frames, those of libraries and of the executor too.
    #[serde(default)]
    whole: bool,
}

/// Asks a task where it waits.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/tasks/{id}/stack", tag = "act", params(
    ("id" = u64, Path), Whole,
), responses(
    (status = 200, description = "Where it waits, or why that is not known", body = Stack),
    (status = 404, description = "There is none, or it has ended", body = Problem,
     content_type = "application/problem+json"),
    (status = 429, description = "Too many captures at once", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn ask(
    Path(id): Path<u64>,
    Query(Whole { whole }): Query<Whole>,
) -> Result<Json<Stack>, Problem> {
    imp::ask(id, whole).await.map(Json)
}

/// The last answer of a task.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/tasks/{id}/stack", tag = "read", params(
    ("id" = u64, Path), Whole,
), responses(
    (status = 200, description = "Where it waited when it was asked last", body = Stack),
    (status = 404, description = "It was not asked, or the answer is not kept any more", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn last(
    Path(id): Path<u64>,
    Query(Whole { whole }): Query<Whole>,
) -> Result<Json<Stack>, Problem> {
    imp::last(id, whole).await.map(Json)
}

/// Asks all tasks where they wait, those at one place together; of too many some of each group.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/stacks", tag = "act", responses(
    (status = 200, description = "Where they wait", body = StackList),
    (status = 429, description = "Too many captures at once", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn ask_all() -> Result<Json<StackList>, Problem> {
    imp::ask_all().await.map(Json)
}

/// The last answer of all tasks.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/stacks", tag = "read", responses(
    (status = 200, description = "Where they waited when they were asked last", body = StackList),
    (status = 404, description = "They were not asked", body = Problem, content_type = "application/problem+json"),
)))]
pub(super) async fn last_all() -> Result<Json<StackList>, Problem> {
    imp::last_all().map(Json)
}

/// Whether clients may ask.
pub(super) fn are_permitted() -> bool {
    imp::are_permitted()
}

#[cfg(feature = "stacks")]
mod imp {
    use axum::http::StatusCode;

    use super::{Problem, Stack, StackList};
    use crate::stacks::{Refused, Service, service};

    pub(super) fn are_permitted() -> bool {
        service().is_some_and(Service::permits)
    }

    fn permitted() -> Result<&'static Service, Problem> {
        service().filter(|service| service.permits()).ok_or_else(|| refusal(Refused::Off, 0))
    }

    pub(super) async fn ask(id: u64, whole: bool) -> Result<Stack, Problem> {
        let asked = permitted()?.one(id, whole).await;
        asked.map(Stack::from).map_err(|refused| refusal(refused, id))
    }

    pub(super) async fn last(id: u64, whole: bool) -> Result<Stack, Problem> {
        let service = permitted()?;
        let last = if whole {
            service.last_whole(id).await.map_err(|refused| refusal(refused, id))?
        } else {
            service.last(id)
        };
        last.map(Stack::from).ok_or_else(|| {
            Problem::not_found(format!("task {id} was not asked, or its answer is not kept any more"))
        })
    }

    pub(super) async fn ask_all() -> Result<StackList, Problem> {
        let service = permitted()?;
        let dump = service.all().await.map_err(|refused| refusal(refused, 0))?;
        Ok(StackList::new(&dump, service.refused()))
    }

    pub(super) fn last_all() -> Result<StackList, Problem> {
        let service = permitted()?;
        let dump = service.last_dump().ok_or_else(|| Problem::not_found("the tasks were not asked"))?;
        Ok(StackList::new(&dump, service.refused()))
    }

    fn refusal(refused: Refused, id: u64) -> Problem {
        match refused {
            Refused::Off => Problem::not_found(super::NOT_PERMITTED),
            Refused::Unknown => Problem::not_found(format!("no task {id}, or it has ended")),
            Refused::Busy => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many captures at once"),
        }
    }
}

/// What permits it.
pub(super) const NOT_PERMITTED: &str = "stacks are not permitted: set `stacks` to `request` (HEADCOUNT_STACKS=request), in a build with the feature `stacks`";

#[cfg(not(feature = "stacks"))]
mod imp {
    use super::{NOT_PERMITTED, Problem, Stack, StackList};

    pub(super) const fn are_permitted() -> bool {
        false
    }

    #[allow(clippy::unused_async, reason = "with the feature it waits")]
    pub(super) async fn ask(_: u64, _: bool) -> Result<Stack, Problem> {
        Err(Problem::not_found(NOT_PERMITTED))
    }

    #[allow(clippy::unused_async, reason = "with the feature it waits")]
    pub(super) async fn last(_: u64, _: bool) -> Result<Stack, Problem> {
        Err(Problem::not_found(NOT_PERMITTED))
    }

    #[allow(clippy::unused_async, reason = "with the feature it waits")]
    pub(super) async fn ask_all() -> Result<StackList, Problem> {
        Err(Problem::not_found(NOT_PERMITTED))
    }

    pub(super) fn last_all() -> Result<StackList, Problem> {
        Err(Problem::not_found(NOT_PERMITTED))
    }
}
