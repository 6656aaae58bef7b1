//! The convolutions that most networks are made of.

use crate::tape::spec::ConvSpec;

/// A 3×3 convolution of stride 1, undilated, of one group.
pub(crate) fn is_plain(spec: &ConvSpec) -> bool {
    spec.kernel == [3; 2] && spec.stride == [1; 2] && spec.dilation == [1; 2] && spec.groups == 1
}

/// The gradient by x of a plain convolution, as one.
pub(crate) fn turned(spec: &ConvSpec) -> Option<ConvSpec> {
    is_plain(spec).then(|| spec.turned())?
}

/// A convolution of stride 1 or 2, undilated, of one group, that computes something.
pub(crate) fn is_small_stride(spec: &ConvSpec) -> bool {
    let [stride, other] = spec.stride;
    spec.groups == 1
        && spec.dilation == [1; 2]
        && stride == other
        && (1..=2).contains(&stride)
        && spec.output_len() * spec.channels > 0
}
