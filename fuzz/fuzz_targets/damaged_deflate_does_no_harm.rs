#![no_main]

wharf_fuzz::target!(damaged_deflate_does_no_harm);
