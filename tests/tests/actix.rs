//! The contract on actix-web.
#![cfg(feature = "actix")]

wharf_conformance::conformance!(wharf_conformance::ActixHost);
