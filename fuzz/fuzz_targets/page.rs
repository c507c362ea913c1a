//! Fuzzes `page`; what must hold is in `tests/fuzzed/src/page.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("page", input));
