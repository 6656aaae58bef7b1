// conv2d_grad_input where every channel is a group of its own:
// dx[t,b,c,h,w] = Σ_{u,v} g[t,b,c,i,j]·w[t,c,u,v] over the taps with i·sh + u·dh − ph = h, j likewise. One invocation for four
// neighbouring pixels of a row. A variant without a twin of its own: it shares that of conv2d_grad_input.

//import parts/conv.wgsl
//import parts/depthwise.wgsl

@group(0) @binding(1) var<storage, read> g: array<f32>;            // (T,B,C,I,J)
@group(0) @binding(2) var<storage, read> w: array<f32>;            // (T,C,1,U,V)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (T,B,C,H,W)

// True if neighbouring pixels and taps of a row meet neighbouring outputs: then each output is read once for all four.
override UNIT: bool = false;

fn output(row: u32, col: u32) -> f32 {
    return select(0.0, g[select(0u, row + col, col < p.out_width)], col < p.out_width);
}

// The output whose first tap lies at `pixel`, which is one past the last where there is none.
fn met(pixel: u32, tap: u32, stride: u32, count: u32) -> u32 {
    return select(count, (pixel - tap) / stride, pixel >= tap && (pixel - tap) % stride == 0u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (id.y * p.grid.fold + id.x) * 256u + lane;
    if (at >= p.grid.groups) {
        return;
    }
    let run = run_of(at, p.grid.n, p.channels, p.height, p.width);
    let base_g = run.trial * p.first_trial + (run.picture * p.channels + run.channel) * p.out_height * p.out_width;
    let base_w = run.trial * p.second_trial + run.channel * p.kernel_h * p.kernel_w;
    let first = run.col + p.padding_w;

    var total = vec4f(0.0);
    for (var u = 0u; u < p.kernel_h; u++) {
        let i = met(run.row + p.padding_h, u * p.dilation_h, p.stride_h, p.out_height);
        if (i < p.out_height) {
            let row = base_g + i * p.out_width;
            var outputs = vec4f(0.0);
            if (UNIT) {
                outputs = vec4f(output(row, first + 1u), output(row, first + 2u), output(row, first + 3u), 0.0);
            }
            for (var v = 0u; v < p.kernel_w; v++) {
                if (UNIT) {
                    outputs = vec4f(output(row, first - v), outputs.xyz);
                } else {
                    let tap = v * p.dilation_w;
                    outputs = vec4f(
                        output(row, met(first, tap, p.stride_w, p.out_width)),
                        output(row, met(first + 1u, tap, p.stride_w, p.out_width)),
                        output(row, met(first + 2u, tap, p.stride_w, p.out_width)),
                        output(row, met(first + 3u, tap, p.stride_w, p.out_width)),
                    );
                }
                total = fma(vec4f(w[base_w + u * p.kernel_w + v]), outputs, total);
            }
        }
    }

    let to = (run.plane * p.height + run.row) * p.width + run.col;
    for (var n = 0u; n < min(4u, p.width - run.col); n++) {
        result[to + n] = total[n];
    }
}
