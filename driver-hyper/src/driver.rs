//! On whose behalf connections are carried.

use wharf_sdk::driver::NativeFactory;

/// What a driver that stands on this one has of its own.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    pub(crate) name: &'static str,
    pub(crate) native: Option<NativeFactory>,
}

impl Driver {
    /// A driver of this name, as observers and snapshots see it.
    pub const fn new(name: &'static str) -> Self {
        Self { name, native: None }
    }

    /// The same with a socket of the framework's own.
    #[must_use]
    pub const fn with_native(mut self, factory: NativeFactory) -> Self {
        self.native = Some(factory);
        self
    }
}
