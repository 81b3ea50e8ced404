//! What a route can be told to document, and the route that shows the document.

use std::sync::{Arc, OnceLock};

use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde_json::Value;

use super::{described::DescribedEvent, info::Info, page::page};
use crate::{
    app::{definition::Route, handle::AppHandle},
    handler::{Handler, Speaks, Type, extract::FromContext},
    request::{Context, Response, response},
    session::Socket,
};

impl Route {
    /// The same as [`new`](Self::new) for a handler of a [`Typed`](crate::Typed) socket, and the
    /// app's document has the schemas of what it reads and writes.
    ///
    /// ```
    /// # use wharf_sdk::{App, Result, asyncapi::Info};
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    /// use wharf_sdk::{Route, Typed};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Guess { number: u8 }
    ///
    /// #[derive(Serialize, JsonSchema)]
    /// struct Verdict { right: bool }
    ///
    /// async fn game(mut socket: Typed<Guess, Verdict>) -> Result<()> {
    ///     while let Some(guess) = socket.read().await? {
    ///         socket.write(&Verdict { right: guess.number == 7 }).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let app = App::builder().route(Route::documented("/game", game)).build()?;
    /// let document = app.asyncapi(&Info::new("Game", "1.0.0"));
    /// assert_eq!(document["components"]["schemas"]["Guess"]["required"][0], "number");
    /// # Ok(())
    /// # }
    /// ```
    pub fn documented<Args: Speaks + 'static>(
        pattern: impl Into<String>,
        handler: impl Handler<Args>,
    ) -> Self {
        Self::new(pattern, handler).documents::<Args::In, Args::Out>()
    }

    /// Documents what the handler reads and writes; call it again for further types. For a handler
    /// of a [`Typed`](crate::Typed) socket there is [`documented`](Self::documented).
    ///
    /// ```
    /// use wharf_sdk::{Result, Route, Socket};
    ///
    /// async fn sum(mut socket: Socket) -> Result<()> {
    ///     # let _ = &mut socket;
    ///     // Reads numbers and writes their sum, in a form of its own.
    ///     Ok(())
    /// }
    ///
    /// let route = Route::new("/sum", sum).documents::<Vec<u32>, u64>();
    /// # let _ = route;
    /// ```
    pub fn documents<In: JsonSchema, Out: JsonSchema>(mut self) -> Self {
        self.described.reads.push(Type::of::<In>());
        self.described.writes.push(Type::of::<Out>());
        self
    }

    /// Documents one of a [`Channel`](crate::Channel)'s events: its payload, and what replies to it;
    /// `()` for an event that the server sends. Events are in the document without it, with any
    /// payload.
    pub fn documents_event<Data: JsonSchema, Reply: JsonSchema>(
        mut self,
        name: impl Into<String>,
    ) -> Self {
        self.described.events.push(DescribedEvent {
            name: name.into(),
            data: Type::of::<Data>(),
            reply: Type::of::<Reply>(),
        });
        self
    }

    /// Documents the query, a struct of its fields.
    pub fn documents_query<Q: JsonSchema>(mut self) -> Self {
        self.described.query = Some(Type::of::<Q>());
        self
    }

    /// Documents the headers that the handler or its middleware look at, a struct of them.
    pub fn documents_headers<H: JsonSchema>(mut self) -> Self {
        self.described.headers = Some(Type::of::<H>());
        self
    }

    /// Says in the document what the route is for.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.described.summary = Some(summary.into());
        self
    }

    /// Leaves the route out of the document.
    pub fn undocumented(mut self) -> Self {
        self.described.is_hidden = true;
        self
    }

    /// A route that shows the app's document: JSON, or a page to those who ask for HTML, as browsers
    /// do. It is no socket, and not part of the document.
    ///
    /// Everybody may read it who may connect to the server; leave it out where that is too much.
    pub fn asyncapi(pattern: impl Into<String>, info: Info) -> Self {
        let made = Arc::new(OnceLock::new());
        let route = Self::new(pattern, no_socket).fallback(move |context| {
            let (made, info) = (Arc::clone(&made), info.clone());
            async move { answer(&context, &made, &info).await }
        });
        route.undocumented()
    }
}

async fn no_socket(mut socket: Socket) -> crate::message::Result<()> {
    socket.close(1008, "a document: GET it").await
}

async fn answer(context: &Context, made: &OnceLock<Value>, info: &Info) -> Response {
    let app = match AppHandle::from_context(context).await {
        Ok(app) => app,
        Err(error) => return response::text(StatusCode::INTERNAL_SERVER_ERROR, error.message()),
    };
    let document = made.get_or_init(|| app.asyncapi(info));
    let wants_page = context.header_or("accept", "").contains("text/html");
    let mut answer = if wants_page {
        page(document)
    } else {
        response::json(StatusCode::OK, document)
    };
    answer
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept"));
    answer
}
