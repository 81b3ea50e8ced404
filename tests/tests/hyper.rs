//! The contract on hyper, without a framework.
#![cfg(feature = "hyper")]

wharf_conformance::conformance!(wharf_conformance::HyperHost);
