//! Fuzzes `answer`; what must hold is in `tests/fuzzed/src/answer.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("answer", input));
