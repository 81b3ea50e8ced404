//! The same without the `deflate` feature: nothing is ever compressed, so there are no values.

use bytes::Bytes;

use super::{Framed, Step};
use crate::{message::Result, policy::DeflateParams, wire::frame::OpCode};

#[derive(Debug)]
pub(in crate::wire) enum Deflater {}

#[derive(Debug)]
pub(in crate::wire) enum Inflater {}

#[derive(Debug)]
pub(in crate::wire) enum Inflating {}

impl Deflater {
    pub(in crate::wire) fn agreed(_: &DeflateParams) -> Option<Box<Self>> {
        None
    }

    pub(in crate::wire) fn wants(&self, _: usize) -> bool {
        match *self {}
    }

    pub(in crate::wire) fn is_large(&self, _: usize) -> bool {
        match *self {}
    }

    pub(in crate::wire) fn begin(&self, _: OpCode, _: Bytes) {
        match *self {}
    }

    pub(in crate::wire) fn deflate<R>(&self, _: &[u8], _: impl FnOnce(Option<&[u8]>) -> R) -> R {
        match *self {}
    }

    pub(in crate::wire) fn held_bytes(&self) -> usize {
        match *self {}
    }

    pub(in crate::wire) fn must_yield(&self) -> bool {
        match *self {}
    }

    pub(in crate::wire) fn go_on(&self) -> Option<(OpCode, Framed)> {
        match *self {}
    }
}

impl Inflater {
    pub(in crate::wire) fn agreed(_: &DeflateParams) -> Option<Box<Self>> {
        None
    }

    pub(in crate::wire) fn begin(&self) -> Inflating {
        match *self {}
    }

    pub(in crate::wire) fn begin_again(&self, _: &mut Inflating, _: &[u8]) {
        match *self {}
    }

    pub(in crate::wire) fn end(&self, _: Inflating, _: &[u8]) {
        match *self {}
    }
}

impl Inflating {
    pub(in crate::wire) fn with_room<R>(run: impl FnOnce(&mut [u8]) -> R) -> R {
        run(&mut [])
    }

    pub(in crate::wire) fn step(&self, _: &[u8], _: &mut [u8]) -> Result<Step> {
        match *self {}
    }

    pub(in crate::wire) fn is_ended(&self) -> bool {
        match *self {}
    }

    pub(in crate::wire) fn taken_bytes(&self) -> u64 {
        match *self {}
    }

    pub(in crate::wire) fn finish(&self) -> Result<()> {
        match *self {}
    }
}
