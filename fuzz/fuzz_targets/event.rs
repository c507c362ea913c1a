//! Fuzzes `event`; what must hold is in `tests/fuzzed/src/event.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::check("event", input));
