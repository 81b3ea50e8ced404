//! What a framework's own socket is to Wharf.

use std::{
    any::{Any, TypeId},
    fmt,
};

/// A framework's own socket, reachable part by part.
pub trait NativeSocket: Any + Send + fmt::Debug {
    /// The name of the main type that [`part`](Self::part) yields.
    fn type_name(&self) -> &'static str;

    /// The part of this type, if there is one.
    fn part(&mut self, id: TypeId) -> Option<&mut dyn Any>;

    /// Hands on to the pipe what the framework's socket has taken so far, so that it leaves before
    /// what is written through Wharf next.
    fn sync(&mut self);
}
