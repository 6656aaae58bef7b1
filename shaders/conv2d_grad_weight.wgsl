// dw[t,o,c,u,v] = Σ_{b,i,j} g[t,b,o,i,j]·x[t,b,c, i·sh + u·dh − ph, j·sw + v·dw − pw]
// as an implicit matrix product per trial and group: rows o (O/G), columns (c,u,v), contraction (b,i,j).
// Uses parts/grid.wgsl, parts/tile.wgsl and parts/conv.wgsl.

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (T,B,C,H,W)
@group(0) @binding(2) var<storage, read> g: array<f32>;            // (T,B,O,I,J)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (splits,T,O,C/G,U,V)

// For each column of the tile: offset of its channel in x, and the (wrapping) position of its tap.
var<workgroup> columns: array<vec3u, 4u * COLS>;

fn find_columns(first: u32, lane: u32) {
    for (var at = lane; at < 4u * COLS; at += THREADS) {
        let n = min(first + at, p.grid.n - 1u);
        let cu = n / p.kernel_w;
        columns[at] = vec3u(
            cu / p.kernel_h * p.height * p.width,
            cu % p.kernel_h * p.dilation_h - p.padding_h,
            n % p.kernel_w * p.dilation_w - p.padding_w,
        );
    }
}

fn load_x(image: u32, h: u32, w: u32, inside: bool, at: u32) -> f32 {
    let column = columns[at];
    let ih = h + column.y;
    let iw = w + column.z;
    let ok = inside && ih < p.height && iw < p.width;
    return select(0.0, x[select(0u, image + column.x + ih * p.width + iw, ok)], ok);
}

fn store(base: u32, row: u32, col: u32, value: vec4f) {
    for (var j = 0u; j < 4u; j++) {
        if (row < p.grid.m && col + j < p.grid.n) {
            result[base + row * p.grid.n + col + j] = value[j];
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
    let area = p.out_height * p.out_width;
    let base_x = trial * p.first_trial + group * p.group_channels * p.height * p.width;
    let base_g = trial * p.second_trial + group * p.group_outputs * area;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.k);
    find_columns(place.col, lane);
    workgroupBarrier();

    var c = mat4x4f();
    for (var k = begin; k < end; k += DEPTH) {
        // Both operands are read along k, where they are contiguous.
        for (var l = 0u; l < LOADS_A; l++) {
            let slot = lane + l * THREADS;
            let kk = slot % DEPTH;
            let m4 = slot / DEPTH;
            if (slot < SLOTS_A) {
                let kc = min(k + kk, end - 1u);
                let row = four_below(place.row + 4u * m4, p.grid.m);
                let at = row * area + base_g + kc / area * p.outputs * area + kc % area;
                let value = vec4f(g[at.x], g[at.y], g[at.z], g[at.w]);
                tile_a[kk * PITCH_A + m4] = select(vec4f(0.0), value, k + kk < end);
            }
        }
        for (var l = 0u; l < LOADS_B; l++) {
            let slot = lane + l * THREADS;
            let kk = slot % DEPTH;
            let n4 = slot / DEPTH;
            if (slot < SLOTS_B) {
                let inside = k + kk < end;
                let kc = min(k + kk, end - 1u);
                let image = base_x + kc / area * p.channels * p.height * p.width;
                let h = kc % area / p.out_width * p.stride_h;
                let w = kc % p.out_width * p.stride_w;
                tile_b[kk * PITCH_B + n4] = vec4f(
                    load_x(image, h, w, inside, 4u * n4),
                    load_x(image, h, w, inside, 4u * n4 + 1u),
                    load_x(image, h, w, inside, 4u * n4 + 2u),
                    load_x(image, h, w, inside, 4u * n4 + 3u),
                );
            }
        }
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let base = place.split * p.split_len + trial * p.out_len + group * p.group_outputs * p.grid.n;
    let row = place.row + 4u * thread.y;
    let col = place.col + 4u * thread.x;
    store(base, row, col, c[0]);
    store(base, row + 1u, col, c[1]);
    store(base, row + 2u, col, c[2]);
    store(base, row + 3u, col, c[3]);
}
