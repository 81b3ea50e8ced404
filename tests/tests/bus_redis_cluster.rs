//! The hub's contract: a Redis cluster.
#![cfg(feature = "redis")]

wharf_conformance::bus_conformance!(wharf_conformance::bus::RedisCluster);
