//! Whether a JPEG file is damaged. The decoder puts grey where it cannot read on, as browsers do; as ground truth that would
//! be wrong.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, options::DecoderOptions},
};

/// Damage between the segments, of which no pixel depends.
const HARMLESS: &str = "Extra bytes between headers";

/// What the decoder finds wrong with a file where it is told not to go on.
pub(super) fn of(jpeg: &[u8]) -> Option<String> {
    let options =
        DecoderOptions::default().set_strict_mode(true).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let decoded = JpegDecoder::new_with_options(ZCursor::new(jpeg), options).decode();
    let problem = decoded.err()?.to_string();
    (!problem.contains(HARMLESS)).then_some(problem)
}
