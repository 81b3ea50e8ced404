//! Every row of the contract as cases: a file per subject, one sentence a case.
//!
//! A case serves what it needs on the host, speaks raw frames, and panics with what came instead
//! of what was expected. Most use the [fixture](crate::fixture); those that need another policy
//! serve an app of their own.

pub mod auth;
pub mod bad_input;
pub mod channel;
pub mod close;
pub mod compression;
pub mod compression_bits;
pub mod compression_bombs;
pub mod compression_offers;
pub mod control;
pub mod ends;
pub mod errors;
pub mod event_stream;
pub mod extended_connect;
pub mod fairness;
pub mod handshake;
pub mod heartbeat;
pub mod limits;
pub mod message;
pub mod message_middleware;
pub mod middleware;
pub mod native;
pub mod observers;
pub mod on_the_trait;
pub mod origin;
pub mod outside;
pub mod path;
pub mod peer_close;
pub mod plain;
pub mod principals;
pub mod queue;
pub mod release;
pub mod sender;
pub mod shutdown;
pub mod size;
pub mod socket;
pub mod subprotocol;
pub mod timers;
pub mod violation;
pub mod write;
