// y[t,b,o,i,j] = Σ_{c,u,v} x[t,b,c, i·sh + u·dh − ph, j·sw + v·dw − pw]·w[t,o,c,u,v]
// as an implicit matrix product per trial and group: rows o (O/G), columns (b,i,j), contraction (c,u,v).

//word SUMS = sums4
//word OPERAND_A = operand
//import parts/conv.wgsl
//import parts/tile.wgsl
//import parts/{{SUMS}}.wgsl
//import parts/{{OPERAND_A}}.wgsl x=a X=A BINDING=2 LIMIT=p.grid.m ALONG=1u ACROSS=p.k
//import parts/counter.wgsl

@group(0) @binding(1) var<storage, read> x: array<f32>; // (T,B,C,H,W)
// 2: a, the weights (T,O,C/G,U,V), 3: result (splits,T,B,O,I,J)

// True if a tap can lie outside the picture.
override PADDED: bool = true;

// True if four neighbouring columns lie in one row of one picture: what they share is kept once.
override ALIGNED: bool = false;

// Four output positions: the (wrapping) address and input position of their tap (0,0). Where they are
// aligned, of the first of them.
struct Pixels {
    at: vec4u,
    h: vec4u,
    w: vec4u,
}

fn find_pixels(first: u32, base: u32) -> Pixels {
    var n = four_below(first, p.grid.n);
    if (ALIGNED) {
        n = vec4u(four_below(first, p.grid.n - 3u).x);
    }
    let row = n / p.out_width;
    let h = row % p.out_height * p.stride_h - p.padding_h;
    let w = n % p.out_width * p.stride_w - p.padding_w;
    let picture = row / p.out_height * p.channels * p.height * p.width + vec4u(base);
    return Pixels(picture + h * p.width + w, h, w);
}

fn load_x(pixels: Pixels, tap: Counter, k: u32, end: u32) -> Slice {
    let u = tap.middle * p.dilation_h;
    let v = tap.inner * p.dilation_w;
    var at = pixels.at + vec4u((tap.outer * p.height + u) * p.width + v);
    var w = pixels.w + vec4u(v);
    if (ALIGNED) {
        at += vec4u(0u, 1u, 2u, 3u) * p.stride_w;
        w += vec4u(0u, 1u, 2u, 3u) * p.stride_w;
    }
    if (EXACT && !PADDED) {
        return Slice(vec4f(x[at.x], x[at.y], x[at.z], x[at.w]));
    }
    var ok = (pixels.h + vec4u(u) < vec4u(p.height)) & (w < vec4u(p.width));
    if (!EXACT) {
        ok &= vec4<bool>(k < end);
    }
    at = select(vec4u(0u), at, ok);
    return Slice(select(vec4f(0.0), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), ok));
}

@compute @workgroup_size(COLS, ROWS)
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
    // An invocation always fetches the same four columns, at every STRIDE-th k.
    let at_col = lane % COLS;
    let at_k = lane / COLS;
    let pixels = find_pixels(place.col + 4u * at_col, base_x);
    var tap = count_to(begin + at_k, p.kernel_h, p.kernel_w);
    let step = count_to(STRIDE, p.kernel_h, p.kernel_w);

    var c = Sums();
    for (var k = begin; k < end; k += DEPTH) {
//repeat l LOADS_A
        fetch_a(base_w, place.row, k, end, lane + {{l}}u * THREADS);
//end
//repeat l LOADS_B
        if (ROWS <= DEPTH || at_k < DEPTH) {
            tile_b[(at_k + {{l}}u * STRIDE) * PITCH_B + at_col] = load_x(pixels, tap, k + at_k + {{l}}u * STRIDE, end);
        }
        tap = advance(tap, step, p.kernel_h, p.kernel_w);
//end
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let area = p.out_height * p.out_width;
    let base = place.split * p.split_len + trial * p.out_len + group * p.group_outputs * area;
    let col = vec4u(place.col + 4u * thread.x) + vec4u(0u, 1u, 2u, 3u);
    let at = col / area * p.outputs * area + col % area;
    store_tile(c, base, place.row + 4u * thread.y, area, p.grid.m, at, col < vec4u(p.grid.n));
}
