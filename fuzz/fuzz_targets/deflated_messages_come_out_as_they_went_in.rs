#![no_main]

wharf_fuzz::target!(deflated_messages_come_out_as_they_went_in);
