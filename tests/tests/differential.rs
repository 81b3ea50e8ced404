//! Random rounds on every host: they all do the same. See `wharf_conformance::differential`.
#![cfg(all(feature = "axum", feature = "actix"))]

use wharf_conformance::{
    ActixHost, AxumHost, Host, NestedAxumHost, ScopedActixHost, differential::Differential,
};

const HOSTS: &[(&str, &dyn Host)] = &[
    ("axum", &AxumHost),
    ("axum, nested", &NestedAxumHost),
    ("actix", &ActixHost),
    ("actix, scoped", &ScopedActixHost),
];

#[test]
fn a_thousand_rounds_from_anywhere() {
    Differential::new().rounds(1000).check(HOSTS);
}

/// Seeds of rounds that once went wrong somewhere, or that are rare.
#[test]
fn rounds_to_remember() {
    const SEEDS: &[u64] = &[
        // A session that does not own its connection is ended while the peer has much to read.
        11_178,
        20_165,
        30_300,
        // A peer goes on sending behind its close, with much to read.
        777_046_539,
    ];
    for seed in SEEDS {
        Differential::new().seed(*seed).rounds(1).check(HOSTS);
    }
}
