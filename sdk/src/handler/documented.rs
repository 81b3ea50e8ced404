//! What a handler's own types say of its messages.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::typed::Typed;

/// Arguments that end with a [`Typed<In, Out>`](Typed) of types that have schemas.
///
/// There is no need to implement this trait: such arguments do.
#[diagnostic::on_unimplemented(
    message = "the types of this handler's messages are not known",
    note = "`Route::documented` takes handlers whose last argument is `Typed<In, Out>`, where both \
            derive `JsonSchema`; for others there are `Route::new` and `Route::documents`"
)]
pub trait Speaks {
    /// What is read.
    type In: JsonSchema;
    /// What is written.
    type Out: JsonSchema;
}

macro_rules! impl_speaks {
    ($($arg:ident),*) => {
        impl<In: JsonSchema, Out: JsonSchema, C, $($arg),*> Speaks for ($($arg,)* Typed<In, Out, C>,) {
            type In = In;
            type Out = Out;
        }
    };
}

impl_speaks!();
impl_speaks!(A1);
impl_speaks!(A1, A2);
impl_speaks!(A1, A2, A3);
impl_speaks!(A1, A2, A3, A4);
impl_speaks!(A1, A2, A3, A4, A5);
impl_speaks!(A1, A2, A3, A4, A5, A6);
impl_speaks!(A1, A2, A3, A4, A5, A6, A7);

/// A type that has a schema and a name.
#[derive(Clone)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// As far as snapshots are compared and shown.
impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Type {}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Type {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        Self {
            name: T::schema_name().into_owned(),
            schema: SchemaGenerator::subschema_for::<T>,
        }
    }
}
