// dx[t,b,c,h,w] = Σ_{o,u,v} g[t,b,o,i,j]·w[t,o,c,u,v] over the taps with i·sh + u·dh − ph = h, j likewise.
// Pull form, one implicit matrix product per trial, group and residue class of (h,w) modulo the stride:
// the inputs of a class meet the same taps, every tap_step-th. Rows c (C/G), columns (b, h and w of the
// class), contraction (o, taps of the class).

//word SUMS = sums4
//import parts/conv.wgsl
//import parts/tile.wgsl
//import parts/{{SUMS}}.wgsl
//import parts/counter.wgsl
//import parts/residue.wgsl

@group(0) @binding(1) var<storage, read> g: array<f32>; // (T,B,O,I,J)
@group(0) @binding(2) var<storage, read> w: array<f32>; // (T,O,C/G,U,V)
// 3: result (splits,T,B,C,H,W)

override SLOTS_A = DEPTH * WIDTH_A;

// True if four neighbouring columns lie in one row of one picture: what they share is kept once.
override ALIGNED: bool = false;

// Four inputs of the class: the output position that their tap 0 meets, and its (wrapping) address. Where they
// are aligned, of the first of them.
struct Pixels {
    at: vec4u,
    i: vec4u,
    j: vec4u,
}

fn find_pixels(first: u32, end: u32, class_h: Class, class_w: Class, base: u32) -> Pixels {
    var n = four_below(first, end);
    if (ALIGNED) {
        n = vec4u(four_below(first, end - 3u).x);
    }
    let row = n / class_w.count;
    let i = row % class_h.count + class_h.origin;
    let j = n % class_w.count + class_w.origin;
    let picture = row / class_h.count * p.outputs * p.out_height * p.out_width + vec4u(base);
    return Pixels(picture + i * p.out_width + j, i, j);
}

fn load_g(pixels: Pixels, tap: Counter, k: u32, end: u32) -> Slice {
    let u = tap.middle * p.reach_h;
    let v = tap.inner * p.reach_w;
    var at = pixels.at + vec4u((tap.outer * p.out_height - u) * p.out_width - v);
    var j = pixels.j - vec4u(v);
    if (ALIGNED) {
        at += vec4u(0u, 1u, 2u, 3u);
        j += vec4u(0u, 1u, 2u, 3u);
    }
    var ok = (pixels.i - vec4u(u) < vec4u(p.out_height)) & (j < vec4u(p.out_width));
    if (!EXACT) {
        ok &= vec4<bool>(k < end);
    }
    at = select(vec4u(0u), at, ok);
    return Slice(select(vec4f(0.0), vec4f(g[at.x], g[at.y], g[at.z], g[at.w]), ok));
}

@compute @workgroup_size(COLS, ROWS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(local_invocation_id) thread: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = find_place(id, p.grid);
    let class_at = place.batch % (p.classes_h * p.classes_w);
    let batch = place.batch / (p.classes_h * p.classes_w);
    let trial = batch / p.groups;
    let group = batch % p.groups;
    let class_h = find_class(class_at / p.classes_w, p.height, p.kernel_h, p.stride_h, p.padding_h, p.dilation_h,
        p.tap_step_h);
    let class_w = find_class(class_at % p.classes_w, p.width, p.kernel_w, p.stride_w, p.padding_w, p.dilation_w,
        p.tap_step_w);
    let columns = p.grid.n / (p.height * p.width) * class_h.count * class_w.count;
    if (!place.inside || place.col >= columns) {
        return;
    }
    let base_g = trial * p.first_trial + group * p.group_outputs * p.out_height * p.out_width;
    let taps = p.kernel_h * p.kernel_w;
    let base_w = trial * p.second_trial + group * p.group_outputs * p.group_channels * taps
        + class_h.tap_first * p.kernel_w + class_w.tap_first;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.group_outputs * class_h.taps * class_w.taps);
    // No division by the taps of a class that meets none.
    let taps_h = max(class_h.taps, 1u);
    let taps_w = max(class_w.taps, 1u);
    let at_col = lane % COLS;
    let at_k = lane / COLS;
    let pixels = find_pixels(place.col + 4u * at_col, columns, class_h, class_w, base_g);
    var tap = count_to(begin + at_k, taps_h, taps_w);
    let step = count_to(STRIDE, taps_h, taps_w);
    // Weights are fetched along the contraction.
    var weight = count_to(begin + lane % DEPTH, taps_h, taps_w);
    let depth = count_to(DEPTH, taps_h, taps_w);

    var c = Sums();
    for (var k = begin; k < end; k += DEPTH) {
        let inside = EXACT || k + lane % DEPTH < end;
        let at_w = base_w + weight.outer * p.group_channels * taps + weight.middle * p.tap_step_h * p.kernel_w
            + weight.inner * p.tap_step_w;
//repeat l LOADS_A
        if (SLOTS_A % THREADS == 0u || lane + {{l}}u * THREADS < SLOTS_A) {
            let four = lane / DEPTH + {{l}}u * (THREADS / DEPTH);
            let at = select(vec4u(0u), four_below(place.row + 4u * four, p.grid.m) * taps + vec4u(at_w), inside);
            tile_a[lane % DEPTH * PITCH_A + four] =
                before(vec4f(w[at.x], w[at.y], w[at.z], w[at.w]), k + lane % DEPTH, end);
        }
//end
        weight = advance(weight, depth, taps_h, taps_w);
//repeat l LOADS_B
        if (ROWS <= DEPTH || at_k < DEPTH) {
            tile_b[(at_k + {{l}}u * STRIDE) * PITCH_B + at_col] = load_g(pixels, tap, k + at_k + {{l}}u * STRIDE, end);
        }
        tap = advance(tap, step, taps_h, taps_w);
//end
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let base = place.split * p.split_len + trial * p.out_len
        + (group * p.group_channels * p.height + class_h.first) * p.width + class_w.first;
    let col = vec4u(place.col + 4u * thread.x) + vec4u(0u, 1u, 2u, 3u);
    let row = col / class_w.count;
    let at = (row / class_h.count * p.channels * p.height + row % class_h.count * p.stride_h) * p.width
        + col % class_w.count * p.stride_w;
    store_tile(c, base, place.row + 4u * thread.y, p.height * p.width, p.grid.m, at, col < vec4u(columns));
}
