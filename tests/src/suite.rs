//! All cases, and what turns them into tests.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::timeout;

use crate::Host;

/// How long a whole case may take; its own waits give up earlier and say what for.
const CASE_DEADLINE: Duration = Duration::from_secs(180);

/// A case in progress. It stays on its thread.
pub type InProgress<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs one case on a runtime of its own: what [`conformance!`](crate::conformance) calls.
///
/// # Panics
///
/// If the case fails.
pub fn check(host: &dyn Host, case: impl for<'a> FnOnce(&'a dyn Host) -> InProgress<'a>) {
    let is_paused = host.can_pause_time();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(is_paused)
        .build()
        .expect("a runtime");
    // Paused time leaps to the next timer whenever nothing else is left to do, so that a case
    // that waits for what never comes would leap here.
    let finished = runtime.block_on(async { timeout(CASE_DEADLINE, case(host)).await });
    assert!(
        finished.is_ok(),
        "the case did not end within {CASE_DEADLINE:?}"
    );
}

/// Expands to one test per case, in a module per section: `conformance!(MyHost);` in a test file
/// of its own, with an expression that makes a [`Host`].
#[macro_export]
macro_rules! conformance {
    ($host:expr) => {
        $crate::for_each_case! { __conformance_tests! { $host } }
    };
}

/// Turns the list of cases into tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ({ $host:expr } $($section:ident { $($case:ident: $row:literal,)* })*) => {
        $(
            mod $section {
                #[allow(unused_imports, reason = "the host may be named by its full path")]
                use super::*;

                $(
                    #[test]
                    fn $case() {
                        $crate::check(&$host, |host| {
                            ::std::boxed::Box::pin($crate::cases::$section::$case(host))
                        });
                    }
                )*
            }
        )*
    };
}

/// Turns the list of cases into data.
macro_rules! __case_list {
    ({} $($section:ident { $($case:ident: $row:literal,)* })*) => {
        /// Every case, in the order of the sections.
        pub const CASES: &[$crate::contract::Case] = &[
            $($(
                $crate::contract::Case {
                    section: stringify!($section),
                    name: stringify!($case),
                    row: $row,
                },
            )*)*
        ];
    };
}
pub(crate) use __case_list;

crate::for_each_case! { __case_list! {} }

/// Hands the list of cases to a macro, behind the tokens in braces.
///
/// A case that is missing here does not run; a test of this package compares the list with the
/// sources.
#[macro_export]
macro_rules! for_each_case {
    ($each:ident! { $($with:tt)* }) => {
        $crate::$each! {
            { $($with)* }
            handshake {
                unknown_path: "unknown-path",
                full_app: "unavailable",
                full_route: "unavailable",
                full_peer: "unavailable",
                full_before_other_checks: "order",
                fallback: "fallback",
                method: "method",
                not_an_upgrade: "not-an-upgrade",
                http_10: "not-an-upgrade",
                version: "version",
                key: "key",
                accepted: "accepted",
                case_and_lists: "accepted",
                order_of_checks: "order",
            }
            bad_input {
                body: "bad-input",
                oversized_headers: "bad-input",
                garbage: "bad-input",
                many_headers: "bad-input",
            }
            path {
                refused_by_build: "path",
                parameters_are_decoded: "path",
                headers_in_any_case: "path",
                trailing_slash: "path",
                empty_parameter: "path",
                double_slashes: "path",
                not_utf8: "path",
                raw_bytes: "path",
                rest: "path",
                literals: "path",
                typed_parameters: "path",
                groups: "path",
            }
            subprotocol {
                preference: "accepted",
                several_lines: "accepted",
                none_in_common: "accepted",
                required: "protocol-required",
                malformed: "offers",
                middleware_chooses: "accepted",
                never_unoffered: "accepted",
            }
            origin {
                same_origin: "origin",
                same_origin_and_others: "origin",
                other_origins: "origin",
                no_origin: "origin",
                origin_required: "origin",
                several_origins: "origin",
                list: "origin",
                wildcard: "origin",
                any: "origin",
                behind_a_proxy: "origin",
            }
            auth {
                unauthenticated: "principal",
                scope_missing: "principal",
                authorized: "principal",
                fails_closed: "principal",
                middleware_behind_it: "principal",
                guards_fallbacks: "guarded-fallback",
                readable_refusals: "readable-refusals",
                readable_refusals_beyond_caps: "readable-refusals",
                inherited: "principal",
                token_as_subprotocol: "principal",
            }
            middleware {
                answers_itself: "middleware-answers",
                order: "chain",
                adds_headers: "chain",
                passes_values_on: "chain",
                sees_refusals: "refusals-pass-back",
                extractors_refuse: "extractors",
                fails: "middleware-fails",
                refuses: "middleware-fails",
                panics: "middleware-panics",
                times_out: "upgrade-timeout",
                cannot_make_a_101: "chain",
                may_change_its_mind: "middleware-answers",
                runs_behind_the_checks: "order",
            }
            errors {
                problem_documents: "problem",
                debug_mode: "problem",
                mapper: "mapper",
                mapper_panics: "mapper",
                interim_statuses: "chain",
                handler_arguments: "problem",
            }
            plain {
                deprecated: "plain",
                deprecated_refusals: "plain",
                fallback_times_out: "fallback",
                fallbacks_see_the_context: "fallback",
                fallback_panics: "fallback",
                with_a_body: "fallback",
                events_over_http: "plain",
                route_snapshot: "plain",
                shutdown_over_http: "plain",
            }
            message {
                lengths: "data",
                text_is_unicode: "data",
                order: "data",
                byte_by_byte: "data",
                frames_behind_the_request: "data",
                fragments: "fragments",
                ping_between_fragments: "fragments",
                empty_fragments: "fragments",
                empty_fragment_flood: "fragments",
                fragment_limit: "fragments",
                library_client: "interop",
            }
            control {
                ping_is_answered: "ping",
                pings_together: "ping",
                ping_while_busy: "ping",
                pong_overtakes_data: "ping",
                hidden_by_default: "ping",
                shown_on_request: "close-in",
                pong_before_delivery: "ping",
                unsolicited_pong: "pong",
                ping_flood: "ping",
            }
            violation {
                unmasked: "violation",
                reserved_bit: "violation",
                reserved_opcode: "violation",
                continuation_of_nothing: "violation",
                message_inside_message: "violation",
                oversized_control: "violation",
                fragmented_control: "violation",
                invalid_close: "violation",
                lengths_that_may_not_be: "violation",
                invalid_utf8: "utf8",
                invalid_utf8_reason: "utf8",
                valid_messages_first: "valid-first",
                violation_is_observed: "violation",
                violator_does_not_answer: "violation",
            }
            size {
                to_the_byte: "size",
                over_fragments: "size",
                by_announcement: "size",
                by_announcement_of_a_fragment: "size",
                default_limit: "size",
                route_limit: "size",
                control_frames_do_not_count: "size",
            }
            write {
                order: "write",
                leaves_when_the_handler_yields: "write",
                server_speaks_first: "write",
                control_messages_are_refused: "control-write",
                ping: "control-write",
                over_the_outbound_limit: "outbound-size",
                flushed_when_the_handler_returns: "write",
            }
            fairness {
                writing_without_a_pause: "fairness",
                feeding_without_a_pause: "fairness",
                floods_of_control_frames: "fairness",
                payloads_with_a_mind_of_their_own: "once",
            }
            peer_close {
                answered_with_its_code: "close-in",
                without_a_code: "close-in",
                queued_data_is_flushed: "close-in",
                data_behind_a_close: "close-in",
                after_the_end: "after-end",
                vanished: "vanished",
                vanished_half_way: "vanished",
                noticed_while_busy: "close-in",
                server_ends_the_connection: "close-in",
            }
            close {
                with_code_and_reason: "close",
                unsendable_codes_are_refused: "close",
                long_reasons_are_refused: "close",
                flushes_and_waits: "close",
                idempotent: "close",
                no_writes_behind_it: "close",
                unanswered: "close",
                answered_with_data: "close",
                answered_with_the_end: "close",
                crossing: "close",
            }
            ends {
                handler_returns: "returns",
                handler_returns_a_close: "fails-with-code",
                handler_returns_an_unsendable_close: "fails-with-code",
                handler_fails: "fails",
                handler_fails_in_debug_mode: "fails",
                handler_panics: "panics",
                handler_panics_at_once: "panics",
                destructor_panics: "panics",
                panic_payload_panics: "panics",
                guard_panics: "once",
                passing_on_closed_is_no_failure: "after-end",
                socket_dropped_early: "returns",
            }
            timers {
                idle: "idle",
                data_is_not_idle: "idle",
                fragments_are_not_idle: "idle",
                pings_are_idle: "idle",
                trickle_is_idle: "idle",
                arriving_data_is_not_idle: "idle",
                idle_is_off_by_default: "idle",
                first_message: "limits",
                maximum_age: "limits",
                credential_expiry: "credential",
                renewed_credential: "credential",
                expired_credential: "credential",
                timers_run_while_the_handler_is_busy: "idle",
            }
            heartbeat {
                answered: "heartbeat",
                unanswered: "heartbeat",
                unanswered_in_a_trickle: "heartbeat",
                answered_wrongly: "heartbeat",
                no_ping_without_silence: "heartbeat",
                while_the_handler_is_busy: "heartbeat",
                slow_transfer_survives: "heartbeat",
                while_a_write_is_stuck: "heartbeat",
                beside_pings_of_the_handlers: "heartbeat",
                defaults: "heartbeat",
            }
            queue {
                wait: "queue",
                write_deadline: "queue",
                defaults: "queue",
                error: "queue",
                close: "queue",
                drop_newest: "queue",
                drop_oldest: "queue",
                acknowledgements_stay: "queue",
                counts_messages: "queue",
                flood_is_held_back: "queue",
            }
            limits {
                rate_wait: "limits",
                rate_error: "limits",
                rate_close: "limits",
                control_frames_are_exempt: "limits",
                inheritance: "limits",
                contradictions: "limits",
            }
            sender {
                from_another_task: "sender",
                many_wait: "sender",
                shared_with_others: "sender",
                try_send: "sender",
                send_waits: "sender",
                latest_of_a_key: "sender",
                gaps: "sender",
                gap_beside_a_read: "sender",
                latest_has_a_place: "sender",
                outlives_the_session: "sender",
                split: "sender",
            }
            socket {
                cancelled_reads_lose_nothing: "cancel-safety",
                cancelled_writes_are_atomic: "cancel-safety",
                moved_to_another_task: "cancel-safety",
                closing_beside_read: "cancel-safety",
            }
            shutdown {
                closes_everyone: "shutdown",
                refuses_upgrades: "unavailable",
                counts_late_handshakes: "shutdown",
                aborts_at_the_deadline: "shutdown",
                drops_busy_handlers: "shutdown",
                handlers_see_closing: "shutdown",
                in_batches: "shutdown",
                with_another_frame: "shutdown",
                of_nobody: "shutdown",
                disconnect: "shutdown",
                mixed_company: "shutdown",
                finishes_the_message: "shutdown",
                closes_busy_sessions_in_the_end: "shutdown",
                notice: "shutdown",
                says_goodbye: "shutdown",
                reports_what_happened: "shutdown",
                sessions_by_name: "shutdown",
            }
            release {
                after_a_storm: "once",
                places_in_caps: "once",
                given_up_handshakes: "once",
                guards: "once",
                extensions_that_panic: "once",
            }
            observers {
                a_whole_life: "observers",
                refusals: "observers",
                details: "observers",
                failures_in_full: "observers",
                isolated_and_in_order: "isolation",
                routes_as_mounted: "observers",
                without_an_error: "observers",
            }
            principals {
                newest_wins: "principals",
                refused_beyond_the_cap: "principals",
                renewed_credentials: "principals",
                verified_again: "principals",
            }
            outside {
                document: "outside",
                inspector_door: "outside",
                inspector: "outside",
            }
            event_stream {
                texts_are_events: "event-stream",
                resumed: "event-stream",
                beside_sockets: "event-stream",
                off_by_default: "event-stream",
                checked_like_sockets: "event-stream",
            }
            channel {
                replies: "events",
                errors_are_replies: "events",
                issues_name_the_field: "events",
                wrong_shapes: "events",
                scopes: "events",
                rates: "events",
                the_server_asks: "requests",
                server_events: "events",
                a_thousand_at_once: "events",
                policies: "events",
                held_values: "events",
                wrong_channels: "events",
                floods: "events",
                wrong_shapes_leak_nothing: "events",
            }
            message_middleware {
                order: "message-middleware",
                refuses: "message-middleware",
                outcomes: "message-middleware",
                around_events: "message-middleware",
            }
            compression {
                policy: "compression-policy",
                contradictions: "compression-policy",
                both_ways: "compression",
                unusual_streams: "compression",
                order: "compression",
                takeover: "compression-takeover",
                bombs: "compression-sizes",
                endless: "compression-sizes",
                utf8: "compression-sizes",
                damage: "compression-damage",
                counts: "compression-counts",
                write_deadline: "compression-counts",
                native: "compression-native",
                native_reads: "compression-native",
            }
            extended_connect {
                offered: "connect",
                switches_nothing: "connect",
                same_checks: "connect",
                a_hundred_on_a_connection: "connect",
                stalled_streams: "streams",
                reset_streams: "streams",
                ended_streams: "streams",
                shutdown: "goaway",
                rapid_resets: "http2-abuse",
                provoked_resets: "http2-abuse",
                endless_headers: "http2-abuse",
                header_bombs: "http2-abuse",
                floods_of_control_frames: "http2-abuse",
                closed_windows: "http2-abuse",
            }
            compression_offers {
                plain: "compression-offers",
                first_that_fits: "compression-offers",
                parameters: "compression-offers",
                never_more_than_offered: "compression-offers",
                unknown_parameters: "compression-offers",
                repeated_parameters: "compression-offers",
                ill_valued_parameters: "compression-offers",
                nothing_to_agree_on: "compression-offers",
                malformed: "compression-offers",
                cve_2026_2229: "compression-offers",
            }
            compression_bits {
                on_a_ping: "compression-bits",
                on_a_pong: "compression-bits",
                on_a_close: "compression-bits",
                on_a_continuation: "compression-bits",
                on_a_compressed_continuation: "compression-bits",
                other_bits: "compression-bits",
                beside_other_bits: "compression-bits",
                where_nothing_was_agreed_on: "compression-bits",
            }
            compression_bombs {
                cve_2018_1000518: "compression-sizes",
                cve_2026_39804: "compression-sizes",
                cve_2026_1526: "compression-sizes",
                cve_2026_85024: "compression-sizes",
            }
            on_the_trait {
                says_what_it_is_on: "trait",
                every_method: "trait",
                however_it_is_taken: "trait",
                typed: "trait",
                unknown_is_told: "trait",
            }
            native {
                reaches_the_frameworks_socket: "native",
                reads_through_it: "native",
                of_another_type: "native",
                unknown_is_delivered: "unknown",
            }
        }
    };
}
