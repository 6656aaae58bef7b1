// A part of the window_* kernels, without a twin of its own. What they share: planes (P,H,W) and windows
// (P,I,J); window (i,j) covers the kernel_h × kernel_w inputs from (i·stride_h − padding_h, j·stride_w − padding_w)
// on. One invocation per result.

struct Params {
    size: u32,       // elements of the result
    fold: u32,       // workgroups per row of the dispatch
    height: u32,     // H
    width: u32,      // W
    out_height: u32, // I
    out_width: u32,  // J
    kernel_h: u32,
    kernel_w: u32,
    stride_h: u32,
    stride_w: u32,
    padding_h: u32,
    padding_w: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// The part of one axis of a window that lies in the input: [x, y).
fn span(at: u32, stride: u32, kernel: u32, padding: u32, size: u32) -> vec2u {
    let first = at * stride;
    let end = min(max(first + kernel, padding) - padding, size);
    return vec2u(min(max(first, padding) - padding, end), end);
}

// The windows along one axis that hold input `at`: [x, y).
fn holders(at: u32, stride: u32, kernel: u32, padding: u32, count: u32) -> vec2u {
    let last = at + padding;
    let first = max(last + 1u, kernel) - kernel; // smallest start of a window that reaches `at`
    return vec2u((first + stride - 1u) / stride, min(last / stride + 1u, count));
}
