//! The hub's contract: nats.
#![cfg(feature = "nats")]

wharf_conformance::bus_conformance!(wharf_conformance::bus::NatsBus);
