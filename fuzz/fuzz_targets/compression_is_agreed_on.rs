#![no_main]

wharf_fuzz::target!(compression_is_agreed_on);
