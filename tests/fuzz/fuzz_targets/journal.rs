#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gia_gpu_fuzz::read("journal.jsonl", data));
