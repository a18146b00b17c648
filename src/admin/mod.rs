//! The admin server: dashboard, API, metrics and health over HTTP.
//!
//! [`server`] accepts connections on headcount's own thread and bounds them; [`router`] holds the routes, for that
//! server and for applications that mount them. Each request passes [`guard`] first. [`api`], [`summary`], [`stop`],
//! [`health`] and [`events`] answer in the shapes of [`wire`]; what they refuse is a [`problem`]. [`assets`] is the page.
//!
//! [`history`] remembers the totals of the last minutes: from them come rates, the charts and, in [`warnings`], what
//! is worth a look.

mod api;
mod assets;
mod connections;
mod events;
mod extract;
#[cfg(test)]
mod fixtures;
mod guard;
mod health;
mod history;
mod openapi;
mod problem;
mod router;
mod server;
mod state;
mod stop;
mod summary;
mod warnings;
mod wire;
mod write_limit;

#[cfg(feature = "shutdown")]
pub(crate) use events::{stage_changed, tell_report};
pub(crate) use router::{Mount, router};
pub(crate) use server::{bind, start};
pub(crate) use state::AdminState;
