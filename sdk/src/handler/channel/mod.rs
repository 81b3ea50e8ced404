//! Messages with a meaning: typed events with replies in both directions.

mod asked;
mod call;
#[allow(clippy::module_inception, reason = "the folder is about it")]
mod channel;
#[cfg(feature = "asyncapi")]
mod documented;
pub(super) mod envelope;
mod event;
mod function;
mod peer;
mod policies;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod rate;
mod run;
mod serve;
mod terms;

#[cfg(feature = "validate")]
pub use self::call::Valid;
#[cfg(feature = "asyncapi")]
pub use self::documented::DocumentedFunction;
pub use self::{
    call::{Call, Data, FromCall, Held},
    channel::Channel,
    envelope::Envelope,
    event::Event,
    function::{EventFunction, OpenFunction},
    peer::ChannelPeer,
    policies::EventErrors,
    rate::EventRate,
};
pub use super::event_snapshot::EventSnapshot;
