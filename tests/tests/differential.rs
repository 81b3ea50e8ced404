//! Random rounds on every host: they all do the same. See `wharf_conformance::differential`.
#![cfg(all(
    feature = "axum",
    feature = "actix",
    feature = "hyper",
    feature = "client"
))]

use wharf_conformance::{
    ActixHost, AxumHost, Host, HyperHost, NestedAxumHost, ScopedActixHost,
    differential::Differential,
};

const HOSTS: &[(&str, &dyn Host)] = &[
    ("axum", &AxumHost),
    ("axum, nested", &NestedAxumHost),
    ("hyper", &HyperHost),
    ("actix", &ActixHost),
    ("actix, scoped", &ScopedActixHost),
];

#[test]
fn a_thousand_rounds_from_anywhere() {
    Differential::new().rounds(1000).check(HOSTS);
}

#[test]
fn rounds_with_the_client() {
    Differential::new().rounds(500).check_client();
}

/// The same for everybody: what these show is nobody's bad luck. Rounds that went wrong somewhere
/// belong here; a change of how rounds are made changes what their seeds mean.
#[test]
fn rounds_to_remember() {
    for first_seed in [11_150, 20_150, 777_046_500] {
        Differential::new()
            .seed(first_seed)
            .rounds(100)
            .check(HOSTS);
    }
}
