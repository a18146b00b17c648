//! Finished tasks that belong to a trace, for the exemplars of metrics.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::outcome::Outcome;
use crate::registry::history::Note;
use crate::registry::registry;

/// The field whose value is a trace id, of a task that [carries](crate::carry) none.
const FIELD: &str = "trace_id";

/// The longest trace id; the label set of an exemplar may have 128 characters.
const MAX_ID: usize = 64;

/// A finished task and its trace.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The id of its group.
    pub group: u32,
    pub outcome: Outcome,
    /// From spawn to end.
    pub duration: Duration,
    pub finished_at: SystemTime,
    /// ASCII letters, digits and hyphens.
    pub trace_id: Arc<str>,
}

/// Visits the tasks with a trace id that have finished since the last visit with the same marks, as far as
/// the history holds them. Costs a look at each ring of the history where there are none.
pub fn visit_new(marks: &mut Vec<u64>, mut visit: impl FnMut(Traced)) {
    registry().histories.visit_new_notes(marks, trace_id, |record, trace_id| {
        visit(Traced {
            group: record.task.group(),
            outcome: record.outcome,
            duration: clock::between(record.task.started, record.ended),
            finished_at: clock::wall(record.ended),
            trace_id,
        });
    });
}

/// The trace id of a finished task, if it is one that metrics may carry.
fn trace_id(note: &Note) -> Option<Arc<str>> {
    let details = note.details.as_ref()?;
    let field = || details.fields.iter().find(|(key, _)| key == FIELD).map(|(_, id)| id.as_str());
    let id = details.trace_id.as_deref().or_else(field)?;
    let fits = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && (1..=MAX_ID).contains(&id.len())).then(|| id.into())
}
