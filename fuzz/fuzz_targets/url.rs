//! Fuzzes `url`; what must hold is in `tests/fuzzed/src/url.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("url", input));
