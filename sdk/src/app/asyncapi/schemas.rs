//! The schemas of a document.

use schemars::{
    SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};

use crate::handler::Type;

const READ: &str = "/components/schemas";
/// Where references to what is written point to until all of it is known.
const WRITTEN: &str = "/components/written";

/// Collects schemas, draft-07 as AsyncAPI has them. What is read and what is written have different
/// ones: a default makes a field optional only for those who send it.
pub(super) struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let generator = |contract: Contract, path: &'static str| {
            let mut settings = SchemaSettings::draft07();
            settings.contract = contract;
            settings.definitions_path = path.into();
            settings.into_generator()
        };
        Self {
            read: generator(Contract::Deserialize, READ),
            written: generator(Contract::Serialize, WRITTEN),
        }
    }

    /// The schema of what the server reads.
    pub(super) fn read(&mut self, of: &Type) -> Value {
        schema(&mut self.read, of)
    }

    /// The schema of what the server writes.
    pub(super) fn written(&mut self, of: &Type) -> Value {
        schema(&mut self.written, of)
    }

    /// All schemas with a name, and `document` referring to them.
    pub(super) fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let mut schemas = self.read.take_definitions(true);
        let mut written = self.written.take_definitions(true);
        let is_same = written.iter().all(|(name, schema)| {
            let mut schema = schema.clone();
            point(&mut schema, "");
            schemas.get(name).is_none_or(|read| *read == schema)
        });
        // A type that differs by direction differs wherever it is part of another.
        let suffix = if is_same { "" } else { "Out" };
        point(document, suffix);
        for (name, mut schema) in std::mem::take(&mut written) {
            point(&mut schema, suffix);
            schemas.insert(format!("{name}{suffix}"), schema);
        }
        schemas
    }
}

fn schema(generator: &mut SchemaGenerator, of: &Type) -> Value {
    let mut schema = (of.schema)(generator);
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.to_value()
}

/// Points references to what is written to where it is.
fn point(value: &mut Value, suffix: &str) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(&format!("#{WRITTEN}/"))
            {
                *reference = format!("#{READ}/{name}{suffix}");
            }
            fields.values_mut().for_each(|value| point(value, suffix));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| point(value, suffix)),
        _ => {}
    }
}
