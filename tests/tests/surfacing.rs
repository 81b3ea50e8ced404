//! The contract on a driver that was written with the public interfaces alone, and that declares
//! what no other driver here does: frames without a name reach the handler.

mod surfacing_driver;

use surfacing_driver::SurfacingHost;
use wharf_conformance::differential::Differential;

wharf_conformance::conformance!(SurfacingHost);

#[test]
fn random_rounds() {
    Differential::new()
        .rounds(300)
        .check(&[("surfacing", &SurfacingHost)]);
}
