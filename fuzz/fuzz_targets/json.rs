//! Fuzzes `json`; what must hold is in `tests/fuzzed/src/json.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("json", input));
