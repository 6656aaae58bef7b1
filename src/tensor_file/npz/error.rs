//! What can be wrong with one member of an `.npz` archive.

/// Follows "`{file}: member '{name}'`".
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The name does not end in `.npy`.
    #[error("is not an array: expected a name that ends with .npy")]
    NotNpy,

    /// Two members share a name.
    #[error("is in the archive more than once")]
    Duplicate,

    /// The archive was saved with a password.
    #[error("is encrypted, expected an open archive")]
    Encrypted,

    /// Another method than NumPy uses.
    #[error("is compressed by method {found}, expected stored (np.savez) or deflated (np.savez_compressed)")]
    Compression {
        /// The method's number in the zip format.
        found: u16,
    },

    /// More bytes than deflate can make of these: a damaged archive, or a bomb.
    #[error("claims to grow from {compressed} bytes to {claimed}: deflate cannot do that")]
    Ratio {
        /// Bytes in the archive.
        compressed: u64,
        /// Bytes that it says they become.
        claimed: u64,
    },

    /// The content is not NumPy's.
    #[error("starts with bytes {found:02x?}, expected those of an .npy array, version 1 to 3")]
    Magic {
        /// The first bytes.
        found: Vec<u8>,
    },

    /// The header is longer than any array's is.
    #[error("has a header of {found} bytes, expected at most {limit}")]
    HeaderLength {
        /// Bytes by the member.
        found: u64,
        /// Most that are read.
        limit: u64,
    },

    /// The header is not the dictionary that NumPy writes.
    #[error("has an invalid header: {cause}")]
    Header {
        /// What is wrong with it.
        cause: String,
    },

    /// The elements are complex, strings, objects or the like.
    #[error("has type {found}{meaning}, expected float16, float32, float64, an integer or bool")]
    Type {
        /// NumPy's code of the type.
        found: String,
        /// The type in words; may be empty.
        meaning: &'static str,
    },

    /// The product of the shape overflows.
    #[error("has shape {shape:?}, more elements than memory can address")]
    Elements {
        /// Shape by the header.
        shape: Vec<usize>,
    },

    /// The array does not fit into memory.
    #[error("has {elements} elements, more than there is memory for")]
    Memory {
        /// How many it has.
        elements: usize,
    },

    /// The array has more or fewer bytes than its header says.
    #[error("has a header that describes {expected} bytes, the archive has {found}")]
    Size {
        /// Bytes by the header.
        expected: u64,
        /// Bytes in the archive.
        found: u64,
    },

    /// The compressed bytes are damaged, or their checksum is wrong.
    #[error("has damaged content: {cause}")]
    Content {
        /// What the decoder says.
        cause: String,
    },
}
