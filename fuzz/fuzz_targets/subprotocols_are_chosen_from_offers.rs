#![no_main]

wharf_fuzz::target!(subprotocols_are_chosen_from_offers);
