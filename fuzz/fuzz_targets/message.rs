//! Fuzzes `message`; what must hold is in `tests/fuzzed/src/message.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("message", input));
