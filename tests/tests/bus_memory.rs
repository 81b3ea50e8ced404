//! The hub's contract: memory.

wharf_conformance::bus_conformance!(wharf_conformance::bus::Memory);
