//! What lives, as the shutdown sees it: counts, lists, and when it will likely end. It reads and changes
//! nothing.

mod blocked;
mod listing;
pub(crate) mod slots;
mod tally;

pub(crate) use blocked::watch;
pub(crate) use listing::{Listing, counted, waited_for};
pub(crate) use slots::Seen;
pub(crate) use tally::Tally;

use crate::registry::registry;
use crate::shutdown::machine::Pending;
use crate::snapshot::OnShutdown;

/// Tasks that a list names; the others are counted by name.
pub(crate) const NAMED: usize = 20;

/// How many are waited for now.
pub(crate) fn pending() -> Pending {
    let counted = |policy| registry().counted(policy) as u64;
    Pending { wait: counted(OnShutdown::Wait), last: counted(OnShutdown::Last), idle: false }
}
