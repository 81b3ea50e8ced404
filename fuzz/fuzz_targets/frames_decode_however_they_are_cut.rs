#![no_main]

wharf_fuzz::target!(frames_decode_however_they_are_cut);
