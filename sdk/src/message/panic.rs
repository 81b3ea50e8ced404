//! Panics of code that is not ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::message::error::{Error, Result};

/// Runs code of the application's; what it throws becomes an error.
///
/// # Errors
///
/// `WHARF_PANIC`.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(Error::panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Grenade;

    impl Drop for Grenade {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    #[test]
    fn a_panic_whose_payload_panics_in_its_drop_is_an_error_like_any_other() {
        let error = catch(|| std::panic::panic_any(Grenade)).expect_err("it panicked");
        assert_eq!(error.code(), "WHARF_PANIC");
        assert_eq!(catch(|| 1).expect("no panic"), 1);
    }
}
