//! How the allocator (`main.rs`) treats memory that is free.

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// `mi_option_purge_delay` of mimalloc.h, where the crate has no name for it.
const PURGE_DELAY: mi_option_t = 15;

/// From now on what is freed goes back to the system at once, instead of with some later allocation of
/// the same thread. An agent works in bursts (all tables of all customers, a report of a whole port)
/// and then does next to nothing, for days: half of its memory would be what it once needed.
#[allow(unsafe_code)]
pub(crate) fn give_back_at_once() {
    // SAFETY: sets an integer in a table of the allocator's; any thread may at any time.
    unsafe { mi_option_set(PURGE_DELAY, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use libmimalloc_sys::mi_option_get;

    /// It has no name there: another version may count otherwise.
    #[test]
    #[allow(unsafe_code)]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: reads an integer.
        let before = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(before, 1000, "milliseconds, unless told otherwise");
        give_back_at_once();
        // SAFETY: as above.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, 0);
    }
}
