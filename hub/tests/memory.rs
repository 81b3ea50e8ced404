//! What rooms leave behind, counted by the allocator: nothing else runs in this process.

#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wharf_hub::Hub;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::test]
async fn a_million_rooms_leave_nothing() {
    const AT_ONCE: usize = 50_000;
    let hub = Hub::local();
    let open = async |round: usize| {
        let mut subscriptions = Vec::with_capacity(AT_ONCE);
        for number in 0..AT_ONCE {
            let room = hub.room(format!("room-{round}-{number}")).unwrap();
            subscriptions.push(room.subscribe().await.unwrap());
        }
        subscriptions
    };
    drop(open(0).await);
    let region = Region::new(ALLOCATOR);
    let held = |region: &Region<'_, System>| {
        let change = region.change();
        change
            .bytes_allocated
            .saturating_sub(change.bytes_deallocated)
    };
    let few = open(1).await;
    let a_room = held(&region) / AT_ONCE;
    assert!(a_room <= 1024, "a room takes {a_room} bytes");
    drop(few);
    for round in 2..20 {
        drop(open(round).await);
    }
    assert_eq!(hub.stats().rooms, 0);
    let left = held(&region);
    assert!(left < 64 * 1024, "{left} bytes are left of a million rooms");
}
