//! The opening handshake: the request, and the answer, checked to the letter.

mod answer;
mod body;
mod head;
mod request;

pub(crate) use self::{
    answer::{Accepted, check},
    body::read_body,
    head::{Head, read_head},
    request::{Sent, build},
};
