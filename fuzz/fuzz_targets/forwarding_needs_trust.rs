#![no_main]

wharf_fuzz::target!(forwarding_needs_trust);
