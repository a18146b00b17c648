//! A cell of one thread that others may read.
//!
//! The thread writes it with plain stores. [`publish`] enters its address into a list, and a guard in the
//! same thread's locals takes it out again before the thread is gone. Readers hold the list's lock while
//! they read.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::PoisonError;
use std::thread::LocalKey;

use crate::sync::{AtomicPtr, Mutex, Ordering::Relaxed};

/// A reference that one thread sets, as a [`Cell`] of it would, and others may read once it is
/// [published](publish).
pub struct Shared<T: 'static> {
    to: AtomicPtr<T>,
    /// Only its thread sets it.
    _not_sync: PhantomData<Cell<&'static T>>,
}

impl<T> Shared<T> {
    /// A cell that holds nothing.
    #[cfg(not(headcount_loom))]
    pub const fn new() -> Self {
        Self { to: AtomicPtr::new(ptr::null_mut()), _not_sync: PhantomData }
    }

    #[cfg(headcount_loom)]
    pub(crate) fn new() -> Self {
        Self { to: AtomicPtr::new(ptr::null_mut()), _not_sync: PhantomData }
    }

    /// Where its pointer is.
    pub(crate) fn address(&self) -> *const AtomicPtr<()> {
        ptr::from_ref(&self.to).cast()
    }

    /// What it holds.
    #[inline]
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: it is null, or was made of a `&'static T` in `set`, which stays valid.
        unsafe { self.to.load(Relaxed).as_ref() }
    }

    /// Has it hold this.
    #[inline]
    pub fn set(&self, to: Option<&'static T>) {
        let to = to.map_or(ptr::null_mut(), |to| ptr::from_ref(to).cast_mut());
        self.to.store(to, Relaxed);
    }

    /// Has it hold this; gives back what it held.
    #[inline]
    pub fn replace(&self, to: Option<&'static T>) -> Option<&'static T> {
        let former = self.get();
        self.set(to);
        former
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.to.load(Relaxed)).finish()
    }
}

/// A thread that published a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The system's id of the thread; 0 where it is not known.
    pub id: u32,
    /// The address that the cell holds; 0 for nothing.
    pub address: usize,
}

/// A cell on the list: the thread's id, and the address of the pointer in the cell.
pub(crate) struct Published {
    pub(crate) id: u32,
    pub(crate) to: *const AtomicPtr<()>,
}

// SAFETY: an entry is read under the lock of the list only, and taken out before what it points at is gone.
unsafe impl Send for Published {}

impl Published {
    /// What the cell holds. Only under the lock of the list, as [`List::read`] has it.
    pub(crate) fn read(&self) -> Thread {
        // SAFETY: the entry is on the list, so its thread has not run the guard's destructor, which waits for
        // the lock that is held here. A value without a destructor stays in the thread's memory until then.
        // All `AtomicPtr`s have one layout whatever they point at.
        let to = unsafe { &*self.to };
        Thread { id: self.id, address: to.load(Relaxed).addr() }
    }
}

/// The cells that may be read.
pub(crate) struct List(Mutex<Vec<Published>>);

impl List {
    #[cfg(not(headcount_loom))]
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    #[cfg(headcount_loom)]
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn enter(&self, entry: Published) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Once it is back, nothing reads the cell any more.
    pub(crate) fn leave(&self, to: *const AtomicPtr<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|entry| entry.to != to);
    }

    pub(crate) fn read<R>(&self, read: impl FnMut(&Published) -> R) -> Vec<R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(read).collect()
    }
}

#[cfg(not(headcount_loom))]
static PUBLISHED: List = List::new();

#[cfg(headcount_loom)]
loom::lazy_static! {
    static ref PUBLISHED: List = List::new();
}

/// Takes the thread's entry out as the thread ends.
struct Guard(Cell<*const AtomicPtr<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let to = self.0.get();
        if !to.is_null() {
            PUBLISHED.leave(to);
        }
    }
}

thread_local!(static GUARD: Guard = const { Guard(Cell::new(ptr::null())) });

/// Lets other threads read a cell of this thread until it ends; once a thread. Does nothing but on Linux.
///
/// The cell is part of a thread-local value that has no destructor.
///
/// # Panics
///
/// If `cell` gives a cell outside of that value.
pub fn publish<T, C>(key: &'static LocalKey<C>, cell: fn(&C) -> &Shared<T>) {
    const { assert!(!std::mem::needs_drop::<C>(), "a value with a destructor is gone before the guard") };
    if !cfg!(target_os = "linux") {
        // Elsewhere the locals may be gone before the guard is.
        return;
    }
    let _ = GUARD.try_with(|guard| {
        if !guard.0.get().is_null() {
            return;
        }
        let to = key.try_with(|value| {
            let cell = cell(value).address();
            let (first, at) = (ptr::from_ref(value).addr(), cell.addr());
            assert!(first <= at && at + size_of::<AtomicPtr<()>>() <= first + size_of::<C>());
            cell
        });
        if let Ok(to) = to {
            // In the thread's own memory, which is there until all destructors have run, the guard's too.
            guard.0.set(to);
            PUBLISHED.enter(Published { id: thread_id(), to });
        }
    });
}

/// The threads that published a cell, and what each holds at this moment.
pub fn threads() -> Vec<Thread> {
    PUBLISHED.read(Published::read)
}

/// The system's id of this thread.
fn thread_id() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    link.and_then(|link| link.file_name()?.to_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(all(test, target_os = "linux", not(headcount_loom)))]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    struct Cells {
        _before: Cell<u64>,
        shared: Shared<u64>,
    }

    thread_local!(static CELLS: Cells = const { Cells { _before: Cell::new(0), shared: Shared::new() } });

    static VALUE: u64 = 7;

    fn find() -> Option<Thread> {
        threads().into_iter().find(|thread| thread.address == ptr::from_ref(&VALUE).addr())
    }

    #[test]
    fn others_read_a_cell_until_its_thread_ends() {
        let ((begun, begins), (end, ends)) = (channel(), channel::<()>());
        let thread = std::thread::spawn(move || {
            publish(&CELLS, |cells| &cells.shared);
            publish(&CELLS, |cells| &cells.shared);
            CELLS.with(|cells| assert_eq!(cells.shared.replace(Some(&VALUE)), None));
            begun.send(thread_id()).unwrap();
            let _ = ends.recv();
        });
        let id = begins.recv().unwrap();
        assert_eq!(find().map(|thread| thread.id), Some(id));
        assert_ne!(id, std::process::id());
        drop(end);
        thread.join().unwrap();
        assert_eq!(find(), None);
        assert!(threads().iter().all(|thread| thread.id != id));
    }
}
