//! All cases of the hub's contract, and what turns them into tests.

use std::time::Duration;

use tokio::time::timeout;

use super::BusHost;
use crate::InProgress;

/// How long a whole case may take.
const CASE_DEADLINE: Duration = Duration::from_secs(120);

/// Runs one case on a runtime of its own: what [`bus_conformance!`](crate::bus_conformance) calls.
///
/// # Panics
///
/// If the case fails.
pub fn check_bus(host: &dyn BusHost, case: impl for<'a> FnOnce(&'a dyn BusHost) -> InProgress<'a>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let finished = runtime.block_on(async { timeout(CASE_DEADLINE, case(host)).await });
    assert!(
        finished.is_ok(),
        "the case did not end within {CASE_DEADLINE:?}"
    );
}

/// Expands to one test per case of the hub's contract, in a module per table:
/// `bus_conformance!(MyBus);` in a test file of its own, with an expression that makes a
/// [`BusHost`].
#[macro_export]
macro_rules! bus_conformance {
    ($host:expr) => {
        $crate::for_each_bus_case! { __bus_conformance_tests! { $host } }
    };
}

/// Turns the list of cases into tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __bus_conformance_tests {
    ({ $host:expr } $($section:ident { $($case:ident,)* })*) => {
        $(
            mod $section {
                #[allow(unused_imports, reason = "the host may be named by its full path")]
                use super::*;

                $(
                    #[test]
                    fn $case() {
                        $crate::bus::check_bus(&$host, |host| {
                            ::std::boxed::Box::pin($crate::bus::cases::$section::$case(host))
                        });
                    }
                )*
            }
        )*
    };
}

/// Hands the list of cases to a macro, behind the tokens in braces.
#[macro_export]
macro_rules! for_each_bus_case {
    ($each:ident! { $($with:tt)* }) => {
        $crate::$each! {
            { $($with)* }
            rooms {
                names,
                publish_reaches_every_node,
                except_on_any_node,
                order_of_one_publisher,
                many_publishers_at_once,
                twice_is_once,
                leaving_and_coming_back,
                disconnect_on_every_node,
                broadcast_to_every_node,
                slow_member,
                slow_member_under_each_policy,
                empty_rooms_are_let_go,
                many_rooms_come_and_go,
                subscriber_lags,
            }
            outages {
                local_goes_on,
                nothing_blocks_when_it_hangs,
                comes_back_with_gaps,
                junk_is_counted,
            }
            partitions {
                the_others_go_on,
                shorter_than_a_lease_loses_nobody,
                history_is_caught_up_with,
                an_engine_that_hangs_loses_nobody,
            }
            presence {
                snapshot_and_changes,
                ids_are_unique_over_nodes,
                ends_with_the_session,
                node_shuts_down,
                survives_the_engine,
            }
            history {
                one_order,
                resumed_whole,
                not_resumed_in_part,
                unknown_epoch,
                recent_first,
                resumed_under_fire,
                filled_after_an_outage,
                honest_when_the_engine_dies,
                honest_when_the_engine_hangs,
            }
        }
    };
}
