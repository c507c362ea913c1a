//! Fuzzes `values`; what must hold is in `tests/fuzzed/src/values.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("values", input));
