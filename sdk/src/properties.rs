//! What holds for any input, as functions of arbitrary bytes.
//!
//! Each property is a plain function over [`Unstructured`]: `cargo test` runs it on random bytes
//! for a moment, and the targets in `fuzz/` run the same function under a coverage-guided fuzzer
//! for as long as one likes. A property panics when it does not hold, and returns an error when
//! the bytes ran out, which means nothing.
//!
//! The module exists in tests and under `--cfg fuzzing` only, which `cargo fuzz` sets: nobody who
//! depends on this crate sees it or pays for it.

#[cfg(test)]
use arbitrary::Unstructured;

/// Re-exports the properties, and tests each on random input.
macro_rules! properties {
    ($($module:path: $($property:ident),+;)+) => {
        $(pub use $module::{$($property),+};)+

        #[cfg(test)]
        mod tests {
            $($(
                #[test]
                fn $property() {
                    super::hold(super::$property);
                }
            )+)+
        }
    };
}

properties! {
    crate::policy::compression::properties: compression_is_agreed_on;
    crate::policy::properties: origins_are_compared_whole, subprotocols_are_chosen_from_offers;
    crate::app::properties: paths_match_as_patterns_say;
    crate::handler::channel::properties: envelopes_are_read_or_refused;
    crate::session::engine::properties: sessions_keep_their_promises;
    crate::app::upgrade::properties: forwarding_needs_trust, handshakes_are_checked;
    crate::wire::decoder::properties: closes_are_parsed, frames_decode_however_they_are_cut;
    crate::wire::deflate::properties: damaged_deflate_does_no_harm, deflated_messages_come_out_as_they_went_in;
    crate::wire::properties: fragments_make_their_message, messages_leave_whole;
}

/// Tries a property for a moment; for longer with `ARBTEST_BUDGET_MS`. A failure prints its seed:
/// `ARBTEST_SEED` runs it again, and with `WHARF_MINIMIZE` as well a smaller one is looked for.
#[cfg(test)]
fn hold(property: fn(&mut Unstructured<'_>) -> arbitrary::Result<()>) {
    let is_set = |name| std::env::var_os(name).is_some();
    let mut test = arbtest::arbtest(property).size_max(4096);
    if !is_set("ARBTEST_BUDGET_MS") {
        test = test.budget_ms(300);
    }
    if is_set("WHARF_MINIMIZE") {
        test = test.minimize();
    }
    test.run();
}
