//! The parameters that came with a request.

use serde::{
    de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor, value::Error},
    forward_to_deserialize_any,
};

use super::params::{Params, WrongCount};

/// Decodes parameters into a struct, a map, a tuple or a single value.
pub(crate) fn from_params<T: DeserializeOwned>(params: Vec<(&str, &str)>) -> Result<T, Error> {
    let values = params.into_iter().map(|(name, value)| (name, Value(value)));
    T::deserialize(Params(values.collect()))
}

impl WrongCount for Error {
    fn wrong_count(has: usize, takes: usize) -> Self {
        serde::de::Error::custom(format!("the route has {has} parameters, not {takes}"))
    }
}

/// One parameter: text that becomes whatever is asked for.
#[derive(Clone, Copy)]
struct Value<'a>(&'a str);

macro_rules! parsed {
    ($($method:ident $visit:ident $name:literal)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = self.0.parse().map_err(|_| {
                serde::de::Error::custom(concat!("a parameter is not a ", $name))
            })?;
            visitor.$visit(value)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Error;

    parsed! {
        deserialize_bool visit_bool "boolean"
        deserialize_i8 visit_i8 "number that fits"
        deserialize_i16 visit_i16 "number that fits"
        deserialize_i32 visit_i32 "number that fits"
        deserialize_i64 visit_i64 "number that fits"
        deserialize_i128 visit_i128 "number that fits"
        deserialize_u8 visit_u8 "number that fits"
        deserialize_u16 visit_u16 "number that fits"
        deserialize_u32 visit_u32 "number that fits"
        deserialize_u64 visit_u64 "number that fits"
        deserialize_u128 visit_u128 "number that fits"
        deserialize_f32 visit_f32 "number"
        deserialize_f64 visit_f64 "number"
        deserialize_char visit_char "single character"
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Value<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Room {
        room: String,
        seat: u16,
    }

    const PARAMS: [(&str, &str); 2] = [("room", "blue"), ("seat", "7")];

    #[test]
    fn structs_by_name_and_tuples_by_order() {
        let room: Room = from_params(PARAMS.to_vec()).expect("fits");
        assert_eq!((&*room.room, room.seat), ("blue", 7));
        let pair: (String, u16) = from_params(PARAMS.to_vec()).expect("fits");
        assert_eq!(pair, ("blue".to_owned(), 7));
    }

    #[test]
    fn one_parameter_alone() {
        let seat: u16 = from_params(vec![("seat", "7")]).expect("fits");
        assert_eq!(seat, 7);
        from_params::<u16>(vec![("seat", "x")]).expect_err("no number");
        from_params::<String>(PARAMS.to_vec()).expect_err("two parameters");
    }
}
