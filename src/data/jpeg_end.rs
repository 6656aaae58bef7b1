//! Whether a JPEG file is whole. The decoder fills what a cut file lacks with grey and says nothing;
//! as ground truth that would be wrong.

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const TEMPORARY: u8 = 0x01;

/// True if the segments and scans of `jpeg` lead to its end-of-image marker (ITU T.81, annex B). Embedded
/// thumbnails lie inside segments and are stepped over; what follows the marker does not matter.
pub(super) fn is_complete(jpeg: &[u8]) -> bool {
    let mut rest = jpeg;
    loop {
        // In a scan, 0xff is data if 0x00 follows, and restart markers have no segment.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7);
        let Some(at) = rest.windows(2).position(is_marker) else { return false };
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            END_OF_IMAGE => return true,
            START_OF_IMAGE | TEMPORARY => {}
            _ => {
                let Some([high, low]) = rest.first_chunk() else { return false };
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let Some(after) = rest.get(length..) else { return false };
                rest = after;
            }
        }
    }
}
