// y[t,b,o,i,j] = Σ_{c,u,v} x[t,b,c, i·sh + u·dh − ph, j·sw + v·dw − pw]·w[t,o,c,u,v]
// as an implicit matrix product per trial and group: rows o (O/G), columns (b,i,j), contraction (c,u,v).
// Uses parts/grid.wgsl, parts/tile.wgsl and parts/conv.wgsl.

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (T,B,C,H,W)
@group(0) @binding(2) var<storage, read> w: array<f32>;            // (T,O,C/G,U,V)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (splits,T,B,O,I,J)

// Four output positions: offset of their image in x, and the (wrapping) input position of tap (0,0).
struct Pixels {
    image: vec4u,
    h: vec4u,
    w: vec4u,
}

fn find_pixels(first: u32) -> Pixels {
    let n = four_below(first, p.grid.n);
    let row = n / p.out_width;
    return Pixels(
        row / p.out_height * p.channels * p.height * p.width,
        row % p.out_height * p.stride_h - p.padding_h,
        n % p.out_width * p.stride_w - p.padding_w,
    );
}

fn load_w(base: u32, row: u32, k: u32, end: u32) -> vec4f {
    let at = four_below(row, p.grid.m) * p.k + base + min(k, end - 1u);
    return select(vec4f(0.0), vec4f(w[at.x], w[at.y], w[at.z], w[at.w]), k < end);
}

fn load_x(base: u32, pixels: Pixels, k: u32, end: u32) -> vec4f {
    let v = k % p.kernel_w;
    let cu = k / p.kernel_w;
    let plane = base + cu / p.kernel_h * p.height * p.width;
    let ih = pixels.h + vec4u(cu % p.kernel_h * p.dilation_h);
    let iw = pixels.w + vec4u(v * p.dilation_w);
    let ok = (ih < vec4u(p.height)) & (iw < vec4u(p.width)) & vec4<bool>(k < end);
    let at = select(vec4u(0u), pixels.image + vec4u(plane) + ih * p.width + iw, ok);
    return select(vec4f(0.0), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), ok);
}

fn store(base: u32, row: u32, col: u32, value: vec4f) {
    if (row >= p.grid.m) {
        return;
    }
    let area = p.out_height * p.out_width;
    for (var j = 0u; j < 4u; j++) {
        let n = col + j;
        if (n < p.grid.n) {
            result[base + (n / area * p.outputs + row) * area + n % area] = value[j];
        }
    }
}

@compute @workgroup_size({{COLS}}, {{ROWS}})
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(local_invocation_id) thread: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = find_place(id, p.grid);
    if (!place.inside) {
        return;
    }
    let trial = place.batch / p.groups;
    let group = place.batch % p.groups;
    let base_x = trial * p.first_trial + group * p.group_channels * p.height * p.width;
    let base_w = trial * p.second_trial + group * p.group_outputs * p.k;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.k);
    // THREADS is a multiple of COLS, so an invocation always fetches the same four columns.
    let pixels = find_pixels(place.col + 4u * (lane % COLS));

    var c = mat4x4f();
    for (var k = begin; k < end; k += DEPTH) {
        for (var l = 0u; l < LOADS_A; l++) {
            let slot = lane + l * THREADS;
            let kk = slot % DEPTH;
            let m4 = slot / DEPTH;
            if (slot < SLOTS_A) {
                tile_a[kk * PITCH_A + m4] = load_w(base_w, place.row + 4u * m4, k + kk, end);
            }
        }
        for (var l = 0u; l < LOADS_B; l++) {
            let slot = lane + l * THREADS;
            let kk = slot / COLS;
            if (slot < SLOTS_B) {
                tile_b[kk * PITCH_B + slot % COLS] = load_x(base_x, pixels, k + kk, end);
            }
        }
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let base = place.split * p.split_len + trial * p.out_len
        + group * p.group_outputs * p.out_height * p.out_width;
    let row = place.row + 4u * thread.y;
    let col = place.col + 4u * thread.x;
    store(base, row, col, c[0]);
    store(base, row + 1u, col, c[1]);
    store(base, row + 2u, col, c[2]);
    store(base, row + 3u, col, c[3]);
}
