//! An app as an [AsyncAPI 3](https://www.asyncapi.com/docs/reference/specification/v3.1.0) document.
//!
//! Channels, operations, subprotocols, security, limits and close codes come from the routes as they
//! are. So do the schemas of messages, for handlers of [`Typed`](crate::Typed) sockets
//! ([`Route::documented`](crate::Route::documented)) and for events
//! ([`Event::documented`](crate::channel::Event::documented)); other messages, queries and headers are
//! what the routes were told to document: schemas ask for a trait that handlers' types need not have.

mod channel;
mod close_codes;
mod described;
mod document;
mod html;
mod id;
mod info;
mod page;
mod refusals;
mod route;
mod schemas;
mod security;
mod shape;

pub(crate) use self::described::Described;
pub use self::info::Info;
pub use crate::handler::Speaks;
