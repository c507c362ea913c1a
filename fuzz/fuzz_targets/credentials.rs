//! Fuzzes `credentials`; what must hold is in `tests/fuzzed/src/credentials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("credentials", input));
