#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kustlake_fuzz::record::check(input));
