//! The rows of the hub's contract, and what proves each.

/// One row of a table of the hub's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusRow {
    /// The table.
    pub table: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// The cases that prove it on every bus, as `section::name`.
    pub cases: &'static [&'static str],
    /// Tests that prove it, or a part of it, elsewhere, as `file::name`.
    pub tests: &'static [&'static str],
}

/// Lists the cases of [`for_each_bus_case!`](crate::for_each_bus_case).
#[doc(hidden)]
#[macro_export]
macro_rules! __bus_case_names {
    ({} $($section:ident { $($case:ident,)* })*) => {
        &[$($(concat!(stringify!($section), "::", stringify!($case)),)*)*]
    };
}

/// Every case that runs on a bus, as `section::name`.
pub const BUS_CASES: &[&str] = crate::for_each_bus_case! { __bus_case_names! {} };

/// Every row, in the contract's order.
pub const BUS_ROWS: &[BusRow] = &[
    row(
        "Rooms",
        "a name that is empty, over 256 bytes, or has control characters: typed error, nothing joined",
        &["rooms::names"],
        &["words/name.rs::names_are_bounded_and_printable"],
    ),
    row(
        "Rooms",
        "join: the socket hears what is published from then on; joining twice is one membership; at most `rooms_per_session`",
        &["rooms::twice_is_once", "rooms::leaving_and_coming_back"],
        &["rooms.rs::a_session_sits_in_so_many_rooms_and_no_more"],
    ),
    row(
        "Rooms",
        "the seat is dropped, the session ends, the node dies: the member is gone",
        &[
            "presence::ends_with_the_session",
            "rooms::empty_rooms_are_let_go",
        ],
        &[
            "hub_node.rs::nodes_end_on_redis",
            "hub_node.rs::nodes_end_on_nats",
        ],
    ),
    row(
        "Rooms",
        "publish: handed to all, and its publisher is told to how many here",
        &["rooms::publish_reaches_every_node"],
        &[],
    ),
    row(
        "Rooms",
        "order: of one publisher; with history one order for all members on all nodes",
        &[
            "rooms::order_of_one_publisher",
            "rooms::many_publishers_at_once",
            "history::one_order",
        ],
        &[
            "nodes.rs::nothing_is_doubled_or_missed_in_silence_without_history",
            "nodes.rs::nothing_is_doubled_or_missed_in_silence_with_history",
        ],
    ),
    row(
        "Rooms",
        "except: the named session does not hear it, on whichever node it sits",
        &["rooms::except_on_any_node"],
        &[],
    ),
    row(
        "Rooms",
        "a member reads too slowly: its policy, nobody waits, and what was dropped is told",
        &["rooms::slow_member", "rooms::slow_member_under_each_policy"],
        &[
            "rooms.rs::who_waits_for_room_makes_no_publisher_wait",
            "rooms.rs::who_drops_the_oldest_hears_the_newest",
            "rooms.rs::who_closes_slow_members_closes_them",
        ],
    ),
    row(
        "Rooms",
        "a subscriber inside the server is bounded, and lag is an item of its stream",
        &["rooms::subscriber_lags"],
        &["rooms.rs::a_subscriber_that_lags_finds_a_gap_in_its_place"],
    ),
    row(
        "Rooms",
        "a million rooms come and go, and nothing of them stays, on the bus either",
        &[
            "rooms::many_rooms_come_and_go",
            "rooms::empty_rooms_are_let_go",
        ],
        &[
            "memory.rs::a_million_rooms_leave_nothing",
            "room_memory.rs::a_room_takes_less_than_a_kilobyte",
        ],
    ),
    row(
        "Rooms",
        "`disconnect` and `broadcast` reach every node",
        &[
            "rooms::disconnect_on_every_node",
            "rooms::broadcast_to_every_node",
        ],
        &[],
    ),
    row(
        "The bus",
        "interest: a node hears a room while somebody here is in it",
        &[
            "rooms::empty_rooms_are_let_go",
            "rooms::many_rooms_come_and_go",
        ],
        &[
            "nodes.rs::a_room_that_is_left_is_heard_no_more",
            "bus_engines.rs::nats_rooms_that_share_a_subscription_miss_nothing",
            "bus_engines.rs::nats_hands_a_room_over_behind_what_has_come_for_it",
            "bus_engines.rs::nats_keeps_the_order_of_what_waits",
        ],
    ),
    row(
        "The bus",
        "away: rooms go on locally, publishers are told, nothing blocks longer than its deadline",
        &[
            "outages::local_goes_on",
            "outages::nothing_blocks_when_it_hangs",
            "partitions::the_others_go_on",
        ],
        &["bus_engines.rs::nats_that_hangs_is_noticed_however_much_waits"],
    ),
    row(
        "The bus",
        "back: everything is subscribed again, gaps are told, history fills what it can",
        &[
            "outages::comes_back_with_gaps",
            "history::filled_after_an_outage",
            "partitions::history_is_caught_up_with",
        ],
        &["bus/link.rs::pauses_grow_to_a_limit_and_differ"],
    ),
    row(
        "The bus",
        "it drops messages: told as a gap, never silent",
        &[],
        &["bus_engines.rs::nats_tells_a_slow_consumer"],
    ),
    row(
        "The bus",
        "foreign or damaged messages are counted and harm nobody; two versions run side by side",
        &["outages::junk_is_counted"],
        &[
            "state/frame.rs::no_byte_can_be_damaged_or_lost_unnoticed",
            "state/frame.rs::another_version_is_passed_over",
            "state/frame.rs::a_later_release_may_add_to_headers",
            "bus_versions.rs::another_version_harms_nobody_on_redis",
            "bus_versions.rs::another_version_harms_nobody_on_nats",
            "bus_engines.rs::a_history_that_others_wrote_to_begins_anew",
        ],
    ),
    row(
        "The bus",
        "credentials and TLS; engines that are too old are refused",
        &[],
        &[
            "bus_engines.rs::redis_over_tls",
            "bus_engines.rs::nats_over_tls",
            "bus_engines.rs::redis_takes_users_and_passwords",
            "bus_engines.rs::nats_takes_users_passwords_and_tokens",
            "bus_engines.rs::nats_takes_files_of_credentials",
            "bus_engines.rs::engines_that_are_too_old_are_refused",
            "hub_node.rs::wrong_credentials_are_refused",
        ],
    ),
    row(
        "Presence",
        "members: a snapshot, with ids that are unique over all nodes and metadata of at most 4 KiB; asking waits for no other node",
        &[
            "presence::snapshot_and_changes",
            "presence::ids_are_unique_over_nodes",
        ],
        &["rooms.rs::metadata_is_bounded"],
    ),
    row(
        "Presence",
        "joined and left are told once each, in order; metadata can be changed",
        &[
            "presence::snapshot_and_changes",
            "presence::ends_with_the_session",
        ],
        &[
            "nodes.rs::what_comes_again_changes_nothing",
            "properties.rs::nobody_is_present_twice_or_for_ever_whatever_happens",
        ],
    ),
    row(
        "Presence",
        "a node is killed: its members are gone within 30 s, once; one that was only slow is welcomed back without a double",
        &[
            "presence::survives_the_engine",
            "partitions::the_others_go_on",
            "partitions::shorter_than_a_lease_loses_nobody",
            "partitions::an_engine_that_hangs_loses_nobody",
        ],
        &[
            "nodes.rs::a_killed_node_leaves_no_ghosts",
            "nodes.rs::a_node_that_only_publishes_is_not_taken_for_gone",
            "nodes.rs::nodes_that_come_back_one_after_the_other_lose_nobody",
            "nodes.rs::who_is_killed_during_an_outage_is_gone_in_time",
            "nodes.rs::who_left_during_an_outage_is_told_once",
            "hub_node.rs::nodes_end_on_redis",
            "hub_node.rs::nodes_end_on_nats",
        ],
    ),
    row(
        "Presence",
        "a node shuts down: its members leave at once",
        &["presence::node_shuts_down"],
        &[],
    ),
    row(
        "History",
        "publish: the position is assigned with storing, in one step",
        &["history::one_order"],
        &[],
    ),
    row(
        "History",
        "join since a position: all or nothing, never a hole that looks like success",
        &[
            "history::resumed_whole",
            "history::not_resumed_in_part",
            "history::unknown_epoch",
            "history::resumed_under_fire",
            "history::honest_when_the_engine_dies",
            "history::honest_when_the_engine_hangs",
        ],
        &["properties.rs::no_hole_is_called_success_whatever_happens"],
    ),
    row(
        "History",
        "join with the latest: so many of those that are kept, before anything live; who is resumed gets none besides",
        &["history::recent_first"],
        &["rooms.rs::who_comes_is_sent_what_was_said_last"],
    ),
    row(
        "History",
        "a bus without history says so when the app is built",
        &[],
        &["hub_node.rs::nats_without_jetstream_is_refused"],
    ),
];

const fn row(
    table: &'static str,
    promise: &'static str,
    cases: &'static [&'static str],
    tests: &'static [&'static str],
) -> BusRow {
    BusRow {
        table,
        promise,
        cases,
        tests,
    }
}
