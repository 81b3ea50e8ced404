//! Servers of the kit's programs.

use wharf_sdk::{App, ShutdownReport};

/// Serves an app until it is shut down, on a driver of this build, and prints `listening on` and
/// the address once it accepts.
///
/// # Panics
///
/// If there is no such driver in this build, or it fails.
#[cfg_attr(
    not(any(feature = "axum", feature = "actix", feature = "hyper")),
    allow(
        clippy::unused_async,
        dead_code,
        unused_variables,
        reason = "there is no driver"
    )
)]
pub async fn serve_named(driver: &str, app: App) -> ShutdownReport {
    const ANY: &str = "127.0.0.1:0";
    match driver {
        #[cfg(feature = "axum")]
        "axum" => {
            let server = wharf_axum::bind(app, ANY).await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap()
        }
        #[cfg(feature = "actix")]
        "actix" => {
            let server = wharf_actix::bind(app, ANY).await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap()
        }
        #[cfg(feature = "hyper")]
        "hyper" => {
            let server = wharf_hyper::bind(app, ANY).await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap()
        }
        other => panic!("no driver {other} is in this build: choose another, or its feature"),
    }
}
