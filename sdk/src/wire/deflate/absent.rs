//! The same without the `deflate` feature: nothing is ever compressed, so there are no values.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{Framed, Large, Step};
use crate::{
    message::{Encoding, Result, SharedMessage},
    policy::DeflateParams,
    wire::frame::OpCode,
};

#[derive(Debug)]
pub(crate) enum Deflater {}

#[derive(Debug)]
pub(crate) enum Inflater {}

#[derive(Debug)]
pub(crate) enum Inflating {}

impl Deflater {
    pub(crate) fn agreed(_: &DeflateParams) -> Option<Box<Self>> {
        None
    }

    pub(crate) fn wants(&self, _: usize) -> bool {
        match *self {}
    }

    pub(crate) fn is_large(&self, _: usize) -> bool {
        match *self {}
    }

    pub(crate) fn begin(&self, _: OpCode, _: Bytes) {
        match *self {}
    }

    pub(crate) fn deflate<R>(&self, _: &[u8], _: impl FnOnce(Option<&[u8]>) -> R) -> R {
        match *self {}
    }

    pub(crate) fn sharing_key(&self) -> Option<u32> {
        match *self {}
    }

    pub(crate) fn begin_shared(&self, _: OpCode, _: Bytes, _: SharedMessage, _: Arc<Encoding>) {
        match *self {}
    }

    pub(crate) fn deflate_shared(&self, _: &Bytes) -> Framed {
        match *self {}
    }

    pub(crate) fn held_bytes(&self) -> usize {
        match *self {}
    }

    pub(crate) fn must_yield(&self) -> bool {
        match *self {}
    }

    pub(crate) fn go_on(
        &self,
        _: &Context<'_>,
        _: impl FnOnce(&SharedMessage, OpCode, &Framed) -> Bytes,
    ) -> Poll<Option<Large>> {
        match *self {}
    }
}

impl Inflater {
    pub(crate) fn agreed(_: &DeflateParams) -> Option<Box<Self>> {
        None
    }

    pub(crate) fn inflate_in_slices(&mut self) {
        match *self {}
    }

    pub(crate) fn has_turn(&self) -> bool {
        match *self {}
    }

    pub(crate) fn must_yield(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn spend(&mut self, _: &Step) {
        match *self {}
    }

    pub(crate) fn begin(&self) -> Inflating {
        match *self {}
    }

    pub(crate) fn begin_again(&self, _: &mut Inflating, _: &[u8]) {
        match *self {}
    }

    pub(crate) fn end(&self, _: Inflating, _: &[u8]) {
        match *self {}
    }
}

impl Inflating {
    pub(crate) fn with_room<R>(run: impl FnOnce(&mut [u8]) -> R) -> R {
        run(&mut [])
    }

    pub(crate) fn step(&self, _: &[u8], _: &mut [u8]) -> Result<Step> {
        match *self {}
    }

    pub(crate) fn is_ended(&self) -> bool {
        match *self {}
    }

    pub(crate) fn taken_bytes(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn finish(&self) -> Result<()> {
        match *self {}
    }
}
