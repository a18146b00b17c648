//! What the real client of tokio-console is told.

mod bounds;
mod clients;
mod tasks;
