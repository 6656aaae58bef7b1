// A part of conv2d, conv2d_grad_input, conv2d_grad_weight and their variants (_direct, _depthwise), without a twin of its
// own. What they share: x (T,B,C,H,W), w (T,O,C/G,U,V), y and g (T,B,O,I,J), where
// y[b,o,i,j] = Σ_{c,u,v} x[b,c, i·stride_h + u·dilation_h − padding_h, j·…]·w[o,c,u,v].

//import parts/grid.wgsl

struct Params {
    grid: Grid,
    k: u32,          // contracted length
    out_len: u32,    // elements of the result for one trial
    split_len: u32,  // T·out_len
    first_trial: u32,  // trial strides of the two operands, 0 where shared
    second_trial: u32,
    groups: u32,     // G
    channels: u32,   // C
    outputs: u32,    // O
    group_channels: u32, // C/G
    group_outputs: u32,  // O/G
    height: u32,     // H
    width: u32,      // W
    out_height: u32, // I
    out_width: u32,  // J
    kernel_h: u32,   // U
    kernel_w: u32,   // V
    stride_h: u32,
    stride_w: u32,
    padding_h: u32,
    padding_w: u32,
    dilation_h: u32,
    dilation_w: u32,
    classes_h: u32,  // grad_input: input rows that meet the same taps, min(stride, H)
    classes_w: u32,
    tap_step_h: u32, // grad_input: distance of such taps, stride/gcd(stride, dilation)
    tap_step_w: u32,
    reach_h: u32,    // grad_input: output rows between such taps, dilation/gcd(stride, dilation)
    reach_w: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
