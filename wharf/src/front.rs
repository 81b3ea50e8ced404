//! The driver that the features choose.

// In documentation of all features, the page shows what is called with one of them.
#[cfg(all(
    feature = "axum",
    any(doc, not(any(feature = "actix", feature = "hyper")))
))]
pub use wharf_axum::{bind, serve};

#[cfg(all(feature = "actix", not(any(feature = "axum", feature = "hyper"))))]
pub use wharf_actix::{bind, serve};

#[cfg(all(feature = "hyper", not(any(feature = "axum", feature = "actix"))))]
pub use wharf_hyper::{bind, serve};

#[cfg(not(any(
    all(
        feature = "axum",
        any(doc, not(any(feature = "actix", feature = "hyper")))
    ),
    all(feature = "actix", not(any(feature = "axum", feature = "hyper"))),
    all(feature = "hyper", not(any(feature = "axum", feature = "actix")))
)))]
pub use undecided::{bind, serve};

#[cfg(not(any(
    all(
        feature = "axum",
        any(doc, not(any(feature = "actix", feature = "hyper")))
    ),
    all(feature = "actix", not(any(feature = "axum", feature = "hyper"))),
    all(feature = "hyper", not(any(feature = "axum", feature = "actix")))
)))]
mod undecided {
    use wharf_sdk::{App, Result, ShutdownReport};

    /// Implemented by nothing: it exists for its message.
    #[diagnostic::on_unimplemented(
        message = "the features of `wharf` do not say which driver `wharf::serve` is to use",
        label = "cannot choose a driver",
        note = "enable exactly one of the features `axum`, `actix` and `hyper`: \
                `wharf = {{ version = \"…\", default-features = false, features = [\"actix\"] }}`",
        note = "or name the driver: `wharf::axum::serve(app, address)`, \
                `wharf::actix::serve(app, address)`, `wharf::hyper::serve(app, address)`"
    )]
    #[allow(unnameable_types, reason = "nobody can implement it, or needs to")]
    pub trait OneDriver {}

    /// Serves the app on the driver that the features choose. They choose none: see the compile
    /// error.
    ///
    /// # Errors
    ///
    /// Never: it cannot be called.
    pub async fn serve<A: OneDriver>(_: App, _: A) -> Result<ShutdownReport> {
        Ok(ShutdownReport::default())
    }

    /// Binds an address for the driver that the features choose. They choose none: see the
    /// compile error.
    ///
    /// # Errors
    ///
    /// Never: it cannot be called.
    pub async fn bind<A: OneDriver>(_: App, _: A) -> Result<()> {
        Ok(())
    }
}
