//! Fuzzes `request`; what must hold is in `tests/fuzzed/src/request.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("request", input));
