//! What can be wrong with one member of an `.npz` archive.

/// Follows "`{file}: member '{name}'`".
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error("is not an array: expected a name that ends with .npy")]
    NotNpy,

    #[error("is in the archive more than once")]
    Duplicate,

    #[error("is encrypted, expected an open archive")]
    Encrypted,

    #[error("is compressed by method {found}, expected stored (np.savez) or deflated (np.savez_compressed)")]
    Compression { found: u16 },

    #[error("claims to grow from {compressed} bytes to {claimed}: deflate cannot do that")]
    Ratio { compressed: u64, claimed: u64 },

    #[error("starts with bytes {found:02x?}, expected those of an .npy array, version 1 to 3")]
    Magic { found: Vec<u8> },

    #[error("has a header of {found} bytes, expected at most {limit}")]
    HeaderLength { found: u64, limit: u64 },

    #[error("has an invalid header: {cause}")]
    Header { cause: String },

    #[error("has type {found}{meaning}, expected float16, float32, float64, an integer or bool")]
    Type { found: String, meaning: &'static str },

    #[error("has shape {shape:?}, more elements than memory can address")]
    Elements { shape: Vec<usize> },

    #[error("has {elements} elements, more than there is memory for")]
    Memory { elements: usize },

    #[error("has a header that describes {expected} bytes, the archive has {found}")]
    Size { expected: u64, found: u64 },

    #[error("has damaged content: {cause}")]
    Content { cause: String },
}
