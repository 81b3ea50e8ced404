#![no_main]

wharf_fuzz::target!(handshakes_are_checked);
