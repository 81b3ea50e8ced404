//! What a route was told to document.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes a type's schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A type that has a schema and a name.
#[derive(Clone)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) schema: SchemaOf,
}

impl Type {
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self {
            name: T::schema_name().into_owned(),
            schema: SchemaGenerator::subschema_for::<T>,
        }
    }
}

/// One of a channel's events.
#[derive(Clone)]
pub(super) struct DescribedEvent {
    pub(super) name: String,
    pub(super) data: Type,
    /// What answers it, if the peer sends it.
    pub(super) reply: Type,
}

/// What a route was told to document.
#[derive(Clone, Default)]
pub(crate) struct Described {
    pub(super) summary: Option<String>,
    pub(super) is_hidden: bool,
    pub(super) reads: Vec<Type>,
    pub(super) writes: Vec<Type>,
    pub(super) query: Option<Type>,
    pub(super) headers: Option<Type>,
    pub(super) events: Vec<DescribedEvent>,
}
