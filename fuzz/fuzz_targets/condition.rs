//! Fuzzes `condition`; what must hold is in `tests/fuzzed/src/condition.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("condition", input));
