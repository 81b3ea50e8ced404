//! The contract on axum.
#![cfg(feature = "axum")]

wharf_conformance::conformance!(wharf_conformance::AxumHost);
