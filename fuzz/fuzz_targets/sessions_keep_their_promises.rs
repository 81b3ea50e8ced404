#![no_main]

wharf_fuzz::target!(sessions_keep_their_promises);
