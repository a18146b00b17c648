//! When the tasks that a stop waits for will have ended: one engine for log, API, page and metrics.
//!
//! [`load`] gathers what is known, in one pass over the live tasks. [`lifetimes`] turns the ends of a group
//! into a curve of survival, [`outlook`] applies it to a task together with its progress, its grace and its
//! policy, [`engine`] puts all tasks together, and [`words`] writes sentences. Where one task is unknown the
//! forecast is in part: it names the task and speaks of the others.
//!
//! Everything but [`load`] is pure. How far the forecasts can be trusted is measured, in `docs/FORECAST.md`.

mod engine;
mod lifetimes;
mod load;
mod outlook;
mod row;
#[cfg(test)]
mod testing;
pub(crate) mod words;

pub(crate) use engine::{Forecast, Hold};
pub(crate) use load::{Gatherer, Load, snapshot};
pub(crate) use outlook::Terms;
pub(crate) use row::{Bound, Rank, Row, Rows};
