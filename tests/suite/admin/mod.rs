//! The admin server: who may ask and act, what it answers, and that it is bounded.

mod busy;
mod classes;
mod dashboard;
mod flood;
mod folded;
mod guarded;
mod health;
mod mounted;
#[cfg(feature = "shutdown")]
mod mounted_end;
mod open;
mod outlook;
mod permissions;
mod reads;
#[cfg(feature = "shutdown")]
mod report;
mod token;
mod trusted;
mod trusted_actions;
mod unread;
