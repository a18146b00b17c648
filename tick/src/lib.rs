//! The processor's counter, as one inlined instruction.
//!
//! [`now`] reads it. A caller first asks [`is_constant`], since not every processor has a counter that serves
//! as a clock.
//!
//! # `unsafe`
//!
//! Reading the counter needs an intrinsic or inline assembly, which Rust permits in `unsafe` alone.
//! Each block says why it is sound. Nothing here takes or returns a pointer.

#![no_std]

/// The counter: `rdtsc` on x86-64, `cntvct_el0` on aarch64, 0 on any other processor.
///
/// The instruction does not wait for the ones before it, so two readings of the same thread are some
/// nanoseconds apart at most, and never in the wrong order. Readings of two cores may be, by as much as their
/// counters differ.
#[inline(always)]
#[allow(clippy::inline_always, reason = "one instruction, and the point of this crate")]
pub fn now() -> u64 {
    imp::now()
}

/// Whether the counter runs at one rate, whatever the processor's frequency and sleep states are.
///
/// On x86-64 that is what `cpuid` says of an invariant counter; the counter of aarch64 always does.
pub fn is_constant() -> bool {
    imp::is_constant()
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
mod imp {
    use core::arch::x86_64::{__cpuid, _rdtsc};

    /// The highest extended leaf.
    const EXTENDED: u32 = 0x8000_0000;
    /// The leaf of power management, and its bit of the invariant counter.
    const POWER: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one instruction")]
    #[allow(unused_unsafe, reason = "newer compilers have it as a safe function")]
    pub(crate) fn now() -> u64 {
        // SAFETY: every x86-64 processor has the instruction. It writes two registers and touches no memory.
        // A system may forbid it to programs (`CR4.TSD`, `PR_SET_TSC`), and then sends a signal; it does not
        // return anything undefined.
        unsafe { _rdtsc() }
    }

    #[allow(unused_unsafe, reason = "newer compilers have it as a safe function")]
    pub(crate) fn is_constant() -> bool {
        let leaf = |number: u32| {
            // SAFETY: every x86-64 processor has the instruction, and a leaf that it does not know reads as
            // some other leaf or as zeros. It writes four registers and touches no memory.
            unsafe { __cpuid(number) }
        };
        POWER <= leaf(EXTENDED).eax && leaf(POWER).edx & INVARIANT != 0
    }
}

#[cfg(all(target_arch = "aarch64", not(target_os = "ios"), not(miri)))]
mod imp {
    use core::arch::asm;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one instruction")]
    pub(crate) fn now() -> u64 {
        let count: u64;
        // SAFETY: Linux, macOS and Windows let programs read the virtual counter, which every aarch64
        // processor has. The instruction writes one register and touches neither memory nor flags.
        unsafe { asm!("mrs {}, cntvct_el0", out(reg) count, options(nomem, nostack, preserves_flags)) };
        count
    }

    pub(crate) fn is_constant() -> bool {
        true
    }
}

#[cfg(any(
    miri,
    not(any(
        all(target_arch = "x86_64", target_feature = "sse2"),
        all(target_arch = "aarch64", not(target_os = "ios"))
    ))
))]
mod imp {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a constant")]
    pub(crate) const fn now() -> u64 {
        0
    }

    pub(crate) const fn is_constant() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_constant_counter_counts() {
        if super::is_constant() {
            let first = super::now();
            assert!((0..1_000_000).any(|_| first < super::now()));
        } else {
            assert_eq!(super::now(), 0);
        }
    }
}
