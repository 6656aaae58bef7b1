// A part of conv2d_grad_input, without a twin of its own.
// One axis of a residue class of input positions modulo the stride: inputs first + stride·s for s < count;
// tap_first + tap_step·q for q < taps meets output origin + s − reach·q.

struct Class {
    first: u32,
    count: u32,
    tap_first: u32,
    taps: u32,
    origin: u32, // wrapping
}

fn find_class(first: u32, size: u32, kernel: u32, stride: u32, padding: u32, dilation: u32, step: u32) -> Class {
    var tap = 0u;
    while (tap < step && (first + padding + stride * dilation - tap * dilation) % stride != 0u) {
        tap++;
    }
    var found = Class(first, (size - first + stride - 1u) / stride, tap, 0u, 0u);
    if (tap < step) {
        found.taps = (kernel - tap + step - 1u) / step;
        found.origin = bitcast<u32>((i32(first + padding) - i32(tap * dilation)) / i32(stride));
    }
    return found;
}
