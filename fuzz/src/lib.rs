//! The SDK's properties as fuzz targets: one line each.

pub use libfuzzer_sys;
pub use wharf_sdk::properties;

/// Makes a property of this name the program's fuzz target.
#[macro_export]
macro_rules! target {
    ($property:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> $crate::libfuzzer_sys::Corpus {
            let mut u = $crate::libfuzzer_sys::arbitrary::Unstructured::new(bytes);
            match $crate::properties::$property(&mut u) {
                Ok(()) => $crate::libfuzzer_sys::Corpus::Keep,
                // The bytes ran out, or made nothing that the property is about.
                Err(_) => $crate::libfuzzer_sys::Corpus::Reject,
            }
        });
    };
}
