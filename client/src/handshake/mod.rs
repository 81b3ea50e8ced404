//! The opening handshake: the request, and the answer, checked to the letter.

mod answer;
mod body;
mod head;
mod request;

#[cfg(feature = "testing")]
pub(crate) use self::request::Sent;
pub(crate) use self::{
    answer::{Accepted, check},
    body::read_body,
    head::{Head, read_head},
    request::build,
};
