//! Whether a type can ever be made of a pattern's parameters: asked when the app is built, so that
//! a mistake in the code is not blamed on the peer.

use std::fmt;

use serde::{
    de::{DeserializeOwned, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor},
    forward_to_deserialize_any,
};

use super::params::{Params, WrongCount};

/// Why a type cannot be made of these parameters, if that can be known without their values.
pub(crate) fn misfit<T: DeserializeOwned>(names: &[&str]) -> Option<String> {
    let stand_ins = names.iter().map(|name| (*name, StandIn));
    match T::deserialize(Params(stand_ins.collect())) {
        Err(Misfit::Shape(why)) => Some(why),
        // What a type makes of its values is not known before they come.
        Ok(_) | Err(Misfit::Value) => None,
    }
}

#[derive(Debug)]
enum Misfit {
    /// The number or the names are wrong, whatever the values are.
    Shape(String),
    /// The stand-in for a value did not do.
    Value,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(why) => f.write_str(why),
            Self::Value => f.write_str("a value is needed to know"),
        }
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Value
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Shape(format!("it has no parameter {field:?}, which Path takes"))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::Shape(format!(
            "it has a parameter {field:?}, which Path does not know"
        ))
    }
}

impl WrongCount for Misfit {
    fn wrong_count(has: usize, takes: usize) -> Self {
        let has = match has {
            1 => "one parameter".to_owned(),
            count => format!("{count} parameters"),
        };
        Self::Shape(format!("it has {has}, and Path takes {takes}"))
    }
}

/// Stands for the value that will come: whatever is asked for.
#[derive(Clone, Copy)]
struct StandIn;

macro_rules! stands_for {
    ($($method:ident $visit:ident $value:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = Misfit;

    stands_for! {
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i8 1;
        deserialize_i16 visit_i16 1;
        deserialize_i32 visit_i32 1;
        deserialize_i64 visit_i64 1;
        deserialize_i128 visit_i128 1;
        deserialize_u8 visit_u8 1;
        deserialize_u16 visit_u16 1;
        deserialize_u32 visit_u32 1;
        deserialize_u64 visit_u64 1;
        deserialize_u128 visit_u128 1;
        deserialize_f32 visit_f32 1.0;
        deserialize_f64 visit_f64 1.0;
        deserialize_char visit_char 'x';
        deserialize_any visit_str "x";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match variants.first() {
            Some(variant) => visitor.visit_enum(Variant(variant)),
            None => Err(Misfit::Value),
        }
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl IntoDeserializer<'_, Misfit> for StandIn {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The first variant of an enum, without contents.
struct Variant(&'static str);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: serde::de::DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), Misfit> {
        let name: serde::de::value::StrDeserializer<'_, Misfit> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: serde::de::DeserializeSeed<'de>>(
        self,
        _: T,
    ) -> Result<T::Value, Misfit> {
        Err(Misfit::Value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Misfit> {
        Err(Misfit::Value)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Misfit> {
        Err(Misfit::Value)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, net::IpAddr};

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only decoded")]
    struct Seat {
        row: char,
        #[serde(default)]
        number: u32,
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only decoded")]
    struct Id(u32);

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only decoded")]
    enum Color {
        Red,
    }

    #[test]
    fn numbers_and_names_are_known() {
        for misfit in [
            misfit::<u32>(&[]),
            misfit::<String>(&["a", "b"]),
            misfit::<Color>(&["a", "b"]),
            misfit::<Id>(&["a", "b"]),
            misfit::<(u32, u32)>(&["a"]),
            misfit::<(u32,)>(&["a", "b"]),
            misfit::<Seat>(&["number"]),
        ] {
            misfit.expect("does not fit");
        }
    }

    #[test]
    fn what_may_fit_is_let_through() {
        for misfit in [
            misfit::<()>(&[]),
            misfit::<u32>(&["a"]),
            misfit::<Id>(&["a"]),
            misfit::<IpAddr>(&["a"]),
            misfit::<Color>(&["a"]),
            misfit::<Option<String>>(&["a"]),
            misfit::<(Color, String)>(&["a", "b"]),
            misfit::<Seat>(&["row"]),
            misfit::<Seat>(&["row", "number", "more"]),
            misfit::<Vec<String>>(&["a", "b"]),
            misfit::<HashMap<String, String>>(&["a", "b"]),
        ] {
            assert_eq!(misfit, None);
        }
    }
}
