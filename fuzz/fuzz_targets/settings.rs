//! Fuzzes `settings`; what must hold is in `tests/fuzzed/src/settings.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("settings", input));
