//! Fuzzes `document`; what must hold is in `tests/fuzzed/src/document.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("document", input));
