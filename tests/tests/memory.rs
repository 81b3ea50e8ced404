//! The contract on the in-memory host, the reference: time is paused, so timers take none.

wharf_conformance::conformance!(wharf_conformance::MemoryHost);
