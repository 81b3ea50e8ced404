//! A pattern's parameters as serde sees them: by name, in order, or one alone. What a single
//! parameter is, a value that came or a stand-in for one, is its own deserializer.

use serde::de::{
    Deserializer, Error, IntoDeserializer, Visitor,
    value::{MapDeserializer, SeqDeserializer},
};

/// An error that can say that the pattern has another number of parameters than the type takes.
pub(super) trait WrongCount: Error {
    fn wrong_count(has: usize, takes: usize) -> Self;
}

/// Names, each with what stands behind it.
pub(super) struct Params<'a, V>(pub Vec<(&'a str, V)>);

impl<V: Copy> Params<'_, V> {
    fn exactly<E: WrongCount>(&self, count: usize) -> Result<(), E> {
        if self.0.len() == count {
            Ok(())
        } else {
            Err(E::wrong_count(self.0.len(), count))
        }
    }

    fn only<E: WrongCount>(&self) -> Result<V, E> {
        self.exactly(1)?;
        Ok(self.0[0].1)
    }
}

macro_rules! one_value {
    ($($method:ident)*) => {
        $(fn $method<W: Visitor<'de>>(self, visitor: W) -> Result<W::Value, E> {
            self.only::<E>()?.$method(visitor)
        })*
    };
}

impl<'de, V, E> Deserializer<'de> for Params<'_, V>
where
    V: Deserializer<'de, Error = E> + IntoDeserializer<'de, E> + Copy,
    E: WrongCount,
{
    type Error = E;

    one_value! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_option deserialize_identifier
    }

    fn deserialize_ignored_any<W: Visitor<'de>>(self, visitor: W) -> Result<W::Value, E> {
        visitor.visit_unit()
    }

    fn deserialize_unit<W: Visitor<'de>>(self, visitor: W) -> Result<W::Value, E> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<W: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: W,
    ) -> Result<W::Value, E> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<W: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: W,
    ) -> Result<W::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<W: Visitor<'de>>(self, visitor: W) -> Result<W::Value, E> {
        let values = self.0.into_iter().map(|(_, value)| value);
        visitor.visit_seq(SeqDeserializer::new(values))
    }

    fn deserialize_tuple<W: Visitor<'de>>(self, len: usize, visitor: W) -> Result<W::Value, E> {
        self.exactly::<E>(len)?;
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<W: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: W,
    ) -> Result<W::Value, E> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<W: Visitor<'de>>(self, visitor: W) -> Result<W::Value, E> {
        visitor.visit_map(MapDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_struct<W: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: W,
    ) -> Result<W::Value, E> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<W: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: W,
    ) -> Result<W::Value, E> {
        self.only::<E>()?.deserialize_enum(name, variants, visitor)
    }
}
