#![no_main]

wharf_fuzz::target!(envelopes_are_read_or_refused);
