// dx[t,b,c,h,w] = Σ_{o,u,v} g[t,b,o,i,j]·w[t,o,c,u,v] over the taps with i·sh + u·dh − ph = h, j likewise.
// Pull form, one implicit matrix product per trial, group and residue class of (h,w) modulo the stride:
// the inputs of a class meet the same taps, every tap_step-th. Rows c (C/G), columns (b, h and w of the
// class), contraction (o, taps of the class).
// Uses parts/grid.wgsl, parts/tile.wgsl and parts/conv.wgsl.

@group(0) @binding(1) var<storage, read> g: array<f32>;            // (T,B,O,I,J)
@group(0) @binding(2) var<storage, read> w: array<f32>;            // (T,O,C/G,U,V)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (splits,T,B,C,H,W)

// One axis of a residue class: inputs first + stride·s for s < count; tap_first + tap_step·q for
// q < taps meets output origin + s − reach·q.
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

// Four inputs of the class: offset of their image in g, and the output position that tap 0 meets.
struct Pixels {
    image: vec4u,
    i: vec4u,
    j: vec4u,
}

fn find_pixels(first: u32, end: u32, class_h: Class, class_w: Class) -> Pixels {
    let n = four_below(first, end);
    let row = n / class_w.count;
    return Pixels(
        row / class_h.count * p.outputs * p.out_height * p.out_width,
        row % class_h.count + class_h.origin,
        n % class_w.count + class_w.origin,
    );
}

@compute @workgroup_size({{COLS}}, {{ROWS}})
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
    let base_w = trial * p.second_trial + group * p.group_outputs * p.group_channels * taps;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.group_outputs * class_h.taps * class_w.taps);
    let pixels = find_pixels(place.col + 4u * (lane % COLS), columns, class_h, class_w);

    var c = mat4x4f();
    for (var k = begin; k < end; k += DEPTH) {
        for (var l = 0u; l < LOADS_A; l++) {
            let slot = lane + l * THREADS;
            let kk = slot % DEPTH;
            let m4 = slot / DEPTH;
            if (slot < SLOTS_A) {
                let kc = min(k + kk, end - 1u);
                let u = class_h.tap_first + kc / class_w.taps % class_h.taps * p.tap_step_h;
                let v = class_w.tap_first + kc % class_w.taps * p.tap_step_w;
                let o = kc / (class_h.taps * class_w.taps);
                let row = four_below(place.row + 4u * m4, p.grid.m);
                let at = (row + o * p.group_channels) * taps + base_w + u * p.kernel_w + v;
                let value = vec4f(w[at.x], w[at.y], w[at.z], w[at.w]);
                tile_a[kk * PITCH_A + m4] = select(vec4f(0.0), value, k + kk < end);
            }
        }
        for (var l = 0u; l < LOADS_B; l++) {
            let slot = lane + l * THREADS;
            let kk = slot / COLS;
            if (slot < SLOTS_B) {
                let kc = min(k + kk, end - 1u);
                let i = pixels.i - kc / class_w.taps % class_h.taps * p.reach_h;
                let j = pixels.j - kc % class_w.taps * p.reach_w;
                let o = kc / (class_h.taps * class_w.taps);
                let ok = (i < vec4u(p.out_height)) & (j < vec4u(p.out_width)) & vec4<bool>(k + kk < end);
                let plane = base_g + o * p.out_height * p.out_width;
                let at = select(vec4u(0u), pixels.image + plane + i * p.out_width + j, ok);
                tile_b[kk * PITCH_B + slot % COLS] = select(vec4f(0.0), vec4f(g[at.x], g[at.y], g[at.z], g[at.w]), ok);
            }
        }
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let base = place.split * p.split_len + trial * p.out_len;
    for (var l = 0u; l < 4u; l++) {
        let n = place.col + 4u * thread.x + l;
        let h = class_h.first + n / class_w.count % class_h.count * p.stride_h;
        let image = n / (class_w.count * class_h.count) * p.channels + group * p.group_channels;
        let at = base + (image * p.height + h) * p.width + class_w.first + n % class_w.count * p.stride_w;
        let column = vec4f(c[0][l], c[1][l], c[2][l], c[3][l]);
        for (var r = 0u; r < 4u; r++) {
            let row = place.row + 4u * thread.y + r;
            if (row < p.grid.m && n < columns) {
                result[at + row * p.height * p.width] = column[r];
            }
        }
    }
}
