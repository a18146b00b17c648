//! The admin server: dashboard, API, metrics and health over HTTP.
//!
//! [`server`] accepts connections on headcount's own thread and bounds them; [`routes`] holds the routes, for
//! that server and for applications that mount them. Each request passes [`guard`] first. [`api`],
//! [`summary`], [`stacks`], [`stop`], [`outlook`], [`health`], [`scrape`] and [`events`] answer in the
//! shapes of [`wire`]; what they refuse is a [`problem`]. [`assets`] is the page.
//!
//! [`context`] is what they share: the [`hub`] that events go through, the [`history`] of totals, from which
//! come rates, charts and warnings, and the [`probe`] of the application's runtimes.

mod api;
mod assets;
mod context;
mod delta;
mod events;
mod extract;
#[cfg(test)]
mod fixtures;
mod guard;
mod health;
mod history;
mod hub;
mod lifetime;
mod openapi;
mod outlook;
mod probe;
mod problem;
mod read;
mod routes;
mod scrape;
mod server;
mod services;
mod stacks;
mod stop;
mod summary;
mod wire;
mod workers;

pub(crate) use context::{Admin, Mount};
pub(crate) use routes::router;
pub(crate) use server::{bind, start};
