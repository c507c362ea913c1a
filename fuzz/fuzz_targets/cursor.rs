//! Fuzzes `cursor`; what must hold is in `tests/fuzzed/src/cursor.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("cursor", input));
