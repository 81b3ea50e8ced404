//! Path parameters as a type: decoded from a request, and checked against the pattern before any comes.

mod params;
mod shape;
mod values;

pub(crate) use {shape::misfit, values::from_params};
