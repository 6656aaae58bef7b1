#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gia_gpu_fuzz::read("t10k-images-idx3-ubyte.gz", data));
