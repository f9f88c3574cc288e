//! Config files, profiles and resources of every kind, as nobody should write them.
#![no_main]

#[path = "../../crates/kinds/tests/support/input.rs"]
mod input;

libfuzzer_sys::fuzz_target!(init: input::prepare(), |bytes: &[u8]| {
    let took = input::read_everything(bytes).took;
    assert!(took <= input::LIMIT, "it took {took:?}");
});
