//! The clone of the waker allocates nothing: all allocations of the thread are counted, those of the unwinder
//! in C too where the C library is glibc.

#![cfg(not(headcount_loom))]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Wake, Waker};

use headcount_stack::{Buffer, watch};

thread_local!(static ALLOCATIONS: Cell<u64> = const { Cell::new(0) });

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

/// Allocations of this thread while it does this.
fn during(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// In place of glibc's functions, which Rust's allocator calls too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod counted {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
        fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
    }

    #[unsafe(no_mangle)]
    extern "C" fn malloc(size: usize) -> *mut c_void {
        super::count();
        // SAFETY: glibc's own `malloc`.
        unsafe { __libc_malloc(size) }
    }

    #[unsafe(no_mangle)]
    extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
        super::count();
        // SAFETY: glibc's own `calloc`.
        unsafe { __libc_calloc(count, size) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
        super::count();
        // SAFETY: glibc's own `realloc`, with what it or the functions here gave.
        unsafe { __libc_realloc(old, size) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_memalign(to: *mut *mut c_void, align: usize, size: usize) -> c_int {
        super::count();
        // SAFETY: glibc's own function for it; `to` is the caller's place for the result.
        let memory = unsafe { __libc_memalign(align, size) };
        if memory.is_null() {
            const ENOMEM: c_int = 12;
            return ENOMEM;
        }
        // SAFETY: as above.
        unsafe { *to = memory };
        0
    }
}

/// Rust's allocations alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod counted {
    use std::alloc::{GlobalAlloc, Layout, System};

    struct Counted;

    // SAFETY: all is the system's.
    unsafe impl GlobalAlloc for Counted {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            super::count();
            // SAFETY: the caller's contract.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            // SAFETY: the caller's contract.
            unsafe { System.dealloc(memory, layout) }
        }
    }

    #[global_allocator]
    static COUNTED: Counted = Counted;
}

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

#[inline(never)]
fn deep(depth: usize, waker: &Waker) -> usize {
    if depth == 0 {
        drop(waker.clone());
        return 0;
    }
    std::hint::black_box(deep(depth - 1, waker) + 1)
}

#[test]
fn a_clone_allocates_nothing() {
    let waker = Waker::from(Arc::new(Nothing));
    let buffer = Buffer::new();
    // The first one too.
    let first = during(|| {
        watch(&waker, &buffer, |waker| deep(40, waker));
    });
    assert_eq!(first, 0);
    // One that fits, one whose outer frames do not, and more than there is room for.
    let others = during(|| {
        for depth in [1, 40, 1_000] {
            buffer.clear();
            watch(&waker, &buffer, |waker| deep(depth, waker));
        }
        watch(&waker, &buffer, |waker| (0..1_000).for_each(|_| drop(waker.clone())));
    });
    assert_eq!(others, 0);
    assert!(0 < buffer.dropped() && 0 < buffer.cut());
    assert!(40 < buffer.stacks().next().unwrap().len());
}

/// Or the test above would see none.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(during(|| drop(std::hint::black_box(Box::new(7_u64)))), 1);
    assert_eq!(during(|| drop(std::hint::black_box(vec![0_u64; 9]))), 1);
}
