#![no_main]

wharf_fuzz::target!(messages_leave_whole);
