// conv2d where every channel is a group of its own: y[t,b,c,i,j] = Σ_{u,v} x[t,b,c, i·sh + u·dh − ph, j·sw + v·dw − pw]·w[t,c,u,v].
// Tiles would be nearly empty: one invocation for four neighbouring results of a row. A variant without a twin of its own: it
// shares that of conv2d.

//import parts/conv.wgsl
//import parts/depthwise.wgsl

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (T,B,C,H,W)
@group(0) @binding(2) var<storage, read> w: array<f32>;            // (T,C,1,U,V)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (T,B,C,I,J)

// True if neighbouring results and taps of a row meet neighbouring pixels: then each pixel is read once for all four.
override UNIT: bool = false;

fn pixel(row: u32, col: u32) -> f32 {
    return select(0.0, x[select(0u, row + col, col < p.width)], col < p.width);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (id.y * p.grid.fold + id.x) * 256u + lane;
    if (at >= p.grid.groups) {
        return;
    }
    let run = run_of(at, p.grid.n, p.channels, p.out_height, p.out_width);
    let base_x = run.trial * p.first_trial + (run.picture * p.channels + run.channel) * p.height * p.width;
    let base_w = run.trial * p.second_trial + run.channel * p.kernel_h * p.kernel_w;
    let first = run.col * p.stride_w - p.padding_w; // wrapping

    var total = vec4f(0.0);
    for (var u = 0u; u < p.kernel_h; u++) {
        let h = run.row * p.stride_h + u * p.dilation_h - p.padding_h;
        if (h < p.height) {
            let row = base_x + h * p.width;
            var pixels = vec4f(0.0);
            if (UNIT) {
                pixels = vec4f(0.0, pixel(row, first), pixel(row, first + 1u), pixel(row, first + 2u));
            }
            for (var v = 0u; v < p.kernel_w; v++) {
                if (UNIT) {
                    pixels = vec4f(pixels.yzw, pixel(row, first + v + 3u));
                } else {
                    let col = vec4u(first + v * p.dilation_w) + vec4u(0u, 1u, 2u, 3u) * p.stride_w;
                    pixels = vec4f(pixel(row, col.x), pixel(row, col.y), pixel(row, col.z), pixel(row, col.w));
                }
                total = fma(vec4f(w[base_w + u * p.kernel_w + v]), pixels, total);
            }
        }
    }

    let to = (run.plane * p.out_height + run.row) * p.out_width + run.col;
    for (var n = 0u; n < min(4u, p.out_width - run.col); n++) {
        result[to + n] = total[n];
    }
}
