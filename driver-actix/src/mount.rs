//! Apps in applications that exist already.

use std::{fmt, rc::Rc};

use actix_web::{
    HttpRequest, Route,
    dev::{AppService, HttpServiceFactory},
    web::{self, Payload},
};
use wharf_sdk::App;

use crate::upgrade::{self, Carry};

/// An app with what it is to find of the application around it: [`mount`](crate::mount()) with
/// choices.
///
/// A service, like a scope: every path under the prefix is the app's, also those that none of its
/// routes matches. With an empty prefix, register it last.
///
/// ```no_run
/// # use actix_web::App;
/// # #[derive(Clone)] struct User;
/// # fn run(app: wharf_sdk::App) {
/// App::new().service(wharf_actix::Mount::new("/ws", app).carry::<User>());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a mount is a service of an actix application"]
pub struct Mount {
    prefix: String,
    app: App,
    carried: Vec<Carry>,
}

impl Mount {
    /// Mounts the app under a prefix.
    pub fn new(prefix: &str, app: App) -> Self {
        Self {
            prefix: prefix.to_owned(),
            app,
            carried: Vec::new(),
        }
    }

    /// Carries a value of this type, if middleware of the application has put one into the
    /// request's extensions, to where `Extension<T>` finds it. actix does not tell what there is,
    /// so each type is named.
    pub fn carry<T: Clone + Send + Sync + 'static>(mut self) -> Self {
        self.carried.push(|from, to| {
            if let Some(value) = from.get::<T>() {
                to.insert(value.clone());
            }
        });
        self
    }

    pub(crate) fn into_route(self) -> Route {
        let (app, carried) = (self.app, Rc::from(self.carried));
        web::route().to(move |request: HttpRequest, payload: Payload| {
            let (app, carried) = (app.clone(), Rc::clone(&carried));
            async move { upgrade::handle(&app, &carried, request, payload).await }
        })
    }
}

impl HttpServiceFactory for Mount {
    fn register(self, config: &mut AppService) {
        let scope = web::scope(&self.prefix);
        scope.default_service(self.into_route()).register(config);
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount")
            .field("prefix", &self.prefix)
            .field("carried", &self.carried.len())
            .finish_non_exhaustive()
    }
}
