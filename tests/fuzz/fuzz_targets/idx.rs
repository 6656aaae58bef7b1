#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gia_gpu_fuzz::read("train-images-idx3-ubyte", data));
