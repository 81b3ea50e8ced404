#![no_main]

wharf_fuzz::target!(paths_match_as_patterns_say);
