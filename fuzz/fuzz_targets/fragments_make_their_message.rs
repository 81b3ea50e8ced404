#![no_main]

wharf_fuzz::target!(fragments_make_their_message);
