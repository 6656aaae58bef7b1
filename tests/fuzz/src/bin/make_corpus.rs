//! Writes the files that the fuzz targets begin with.

fn main() {
    gia_gpu_fuzz::write_corpus(std::path::Path::new(env!("CARGO_MANIFEST_DIR")));
}
