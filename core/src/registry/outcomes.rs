//! How the newest cancelled tasks ended, for the code that awaits their handles.

use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;

use tokio::task::Id;

use crate::lock::Mutex;
use crate::outcome::Outcome;

/// How many are kept.
const KEPT: usize = 10_000;

/// Outcomes by tokio's ids, which are never reused.
#[derive(Debug, Default)]
pub struct Outcomes(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<Id, Outcome>,
    oldest_first: VecDeque<Id>,
}

/// Those of the process, kept with tracking off too.
pub fn outcomes() -> &'static Outcomes {
    static OUTCOMES: LazyLock<Outcomes> = LazyLock::new(Outcomes::default);
    &OUTCOMES
}

impl Outcomes {
    pub fn keep(&self, id: Id, outcome: Outcome) {
        let mut kept = self.0.lock();
        if kept.by_id.insert(id, outcome).is_some() {
            return;
        }
        kept.oldest_first.push_back(id);
        if KEPT < kept.oldest_first.len() {
            let oldest = kept.oldest_first.pop_front();
            oldest.and_then(|oldest| kept.by_id.remove(&oldest));
        }
    }

    pub fn find(&self, id: Id) -> Option<Outcome> {
        self.0.lock().by_id.get(&id).copied()
    }
}
