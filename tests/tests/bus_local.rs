//! The hub's contract: local.

wharf_conformance::bus_conformance!(wharf_conformance::bus::Local);
