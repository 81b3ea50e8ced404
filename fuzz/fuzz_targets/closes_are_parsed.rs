#![no_main]

wharf_fuzz::target!(closes_are_parsed);
