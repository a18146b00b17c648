//! Finished tasks: for each thread two rings of records, one for any outcome and one for those that are not
//! ok.
//!
//! A ring is a list of chunks, which grows with use up to the setting `history`; a chunk is never given back.
//! The thread that holds a ring is its one writer. It fills one chunk after the other, and begins again with
//! the first where there may be no more. A record is written like a [slot](super::slot): the id is taken
//! away, the fields are written, the id is set. A reader that sees the same id before and after has read one
//! task.
//!
//! The rings together keep as many records as the setting says: the newest of the process. A thread cannot
//! know how many others write meanwhile, so it grows until its oldest chunk is [superseded](ring::Filled): so
//! many newer records are in other rings. A thread pool of hundreds, of which each ends a task now and then,
//! so keeps a few chunks a thread, and not a whole history each.

mod chunk;
mod histories;
mod ring;
mod writer;

pub use self::chunk::{Chunk, Record};
pub use self::histories::{Histories, HistoryReading};
pub use self::ring::Note;
pub use self::writer::HistoryWriter;
