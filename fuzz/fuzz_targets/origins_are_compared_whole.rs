#![no_main]

wharf_fuzz::target!(origins_are_compared_whole);
