//! Keys: one task at a time has each.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use tokio::task::AbortHandle;

use crate::lock::Mutex;

/// The abort handle of a task that has a key or waits for one. An abort may be requested before it is set.
#[derive(Debug, Default)]
pub struct Link(Mutex<LinkState>);

#[derive(Debug, Default)]
struct LinkState {
    handle: Option<AbortHandle>,
    is_abort_wanted: bool,
}

impl Link {
    /// The runtime has the task now.
    pub fn set_handle(&self, handle: AbortHandle) {
        let mut state = self.0.lock();
        if state.is_abort_wanted {
            drop(state);
            handle.abort();
        } else {
            state.handle = Some(handle);
        }
    }

    fn abort(&self) {
        let mut state = self.0.lock();
        state.is_abort_wanted = true;
        let handle = state.handle.take();
        drop(state);
        if let Some(handle) = handle {
            handle.abort();
        }
    }
}

/// Keys that tasks have.
#[derive(Debug, Default)]
pub struct Keys(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Key, Entry>,
    next: u64,
}

/// The name of a task and the key within that name.
type Key = Arc<(String, String)>;

#[derive(Debug)]
struct Entry {
    holder: u64,
    link: Arc<Link>,
    /// The task that replaces the holder.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    number: u64,
    link: Arc<Link>,
    turn: Arc<Mutex<TurnState>>,
}

#[derive(Debug, Default)]
struct TurnState {
    has_come: bool,
    waker: Option<Waker>,
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    Held(Claim),
    Waits(Turn),
    /// Another task has the key.
    Duplicate,
}

/// A key, given back when this is dropped.
#[derive(Debug)]
pub struct Claim {
    key: Key,
    number: u64,
    pub link: Arc<Link>,
}

/// The next to have a key, unless this is dropped.
#[derive(Debug)]
pub struct Turn {
    state: Arc<Mutex<TurnState>>,
    /// Taken when the turn has come.
    claim: Option<Claim>,
}

/// The keys of the process.
pub fn keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::default);
    &KEYS
}

impl Keys {
    /// Takes a key for a task of this name. Where `replaces`, the task that has it is aborted, and the key is
    /// free once that task has ended.
    pub fn claim(&self, name: &str, key: &str, replaces: bool) -> Claimed {
        let key: Key = Arc::new((name.to_owned(), key.to_owned()));
        let mut table = self.0.lock();
        let number = table.next;
        table.next += 1;
        let link = Arc::new(Link::default());
        let claim = |link: &Arc<Link>| Claim { key: Arc::clone(&key), number, link: Arc::clone(link) };
        let Some(entry) = table.held.get_mut(&key) else {
            let claim = claim(&link);
            table.held.insert(key, Entry { holder: number, link, next: None });
            return Claimed::Held(claim);
        };
        if !replaces {
            return Claimed::Duplicate;
        }
        let claim = claim(&link);
        let state = Arc::new(Mutex::new(TurnState::default()));
        let next = Next { number, link, turn: Arc::clone(&state) };
        let replaced = entry.next.replace(next);
        let holder = Arc::clone(&entry.link);
        drop(table);
        // Outside the lock, which the ends of these tasks take.
        holder.abort();
        if let Some(replaced) = replaced {
            replaced.link.abort();
        }
        Claimed::Waits(Turn { state, claim: Some(claim) })
    }

    fn give_back(&self, key: &Key, number: u64) {
        let mut table = self.0.lock();
        let Some(entry) = table.held.get_mut(key) else { return };
        if entry.holder != number {
            // It waited for its turn, or was replaced while it did.
            entry.next.take_if(|next| next.number == number);
            return;
        }
        let Some(next) = entry.next.take() else {
            table.held.remove(key);
            return;
        };
        (entry.holder, entry.link) = (next.number, next.link);
        drop(table);
        let mut turn = next.turn.lock();
        turn.has_come = true;
        let waker = turn.waker.take();
        drop(turn);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        keys().give_back(&self.key, self.number);
    }
}

impl Turn {
    pub fn link(&self) -> Option<Arc<Link>> {
        self.claim.as_ref().map(|claim| Arc::clone(&claim.link))
    }

    /// Ready with the key once the former task has ended.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<Claim> {
        let mut state = self.state.lock();
        if let Some(claim) = self.claim.take_if(|_| state.has_come) {
            return Poll::Ready(claim);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::{Claimed, keys};

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn a_key_is_held_by_one_at_a_time() {
        let Claimed::Held(first) = keys().claim("rebuild", "a", false) else { panic!("it is free") };
        assert!(matches!(keys().claim("rebuild", "a", false), Claimed::Duplicate));
        assert!(matches!(keys().claim("rebuild", "b", false), Claimed::Held(_)));
        assert!(matches!(keys().claim("other", "a", false), Claimed::Held(_)));
        drop(first);
        assert!(matches!(keys().claim("rebuild", "a", false), Claimed::Held(_)));
    }

    #[test]
    fn the_newest_that_replaces_is_next() {
        let Claimed::Held(first) = keys().claim("replace", "a", false) else { panic!("it is free") };
        let Claimed::Waits(mut second) = keys().claim("replace", "a", true) else { panic!("it waits") };
        let Claimed::Waits(mut third) = keys().claim("replace", "a", true) else { panic!("it waits") };
        drop(first);
        assert!(second.poll(&context()).is_pending(), "the third took its turn");
        drop(second);
        let Poll::Ready(third) = third.poll(&context()) else { panic!("it is its turn") };
        drop(third);
        assert!(matches!(keys().claim("replace", "a", false), Claimed::Held(_)), "nothing is left behind");
    }

    #[test]
    fn a_turn_that_has_come_and_is_dropped_frees_the_key() {
        let Claimed::Held(first) = keys().claim("dropped", "a", false) else { panic!("it is free") };
        let Claimed::Waits(second) = keys().claim("dropped", "a", true) else { panic!("it waits") };
        drop(first);
        drop(second);
        assert!(matches!(keys().claim("dropped", "a", false), Claimed::Held(_)));
    }
}
