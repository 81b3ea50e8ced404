//! The hub's contract: redis.
#![cfg(feature = "redis")]

wharf_conformance::bus_conformance!(wharf_conformance::bus::RedisBus);
