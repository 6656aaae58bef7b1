// c[t,i,j] = Σ_k a[t,i,k]·b[t,k,j]. Both operands are strided views, trial stride 0 where shared.
// Uses parts/grid.wgsl and parts/tile.wgsl.

struct Matrix {
    offset: u32,
    trial: u32,   // strides
    k: u32,       // along the contraction
    other: u32,   // along rows of a, columns of b
    along_k: u32, // 1 if neighbouring invocations should read along k
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

struct Params {
    grid: Grid,
    a: Matrix,
    b: Matrix,
    k: u32,
    split_len: u32, // T·M·N
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;            // (T,M,K) strided
@group(0) @binding(2) var<storage, read> b: array<f32>;            // (T,K,N) strided
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (splits,T,M,N)

// Four neighbours of A's rows at one k; zero beyond the part of the contraction summed here.
fn load_a(base: u32, row: u32, k: u32, end: u32) -> vec4f {
    let at = four_below(row, p.grid.m) * p.a.other + base + min(k, end - 1u) * p.a.k;
    return select(vec4f(0.0), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), k < end);
}

fn load_b(base: u32, col: u32, k: u32, end: u32) -> vec4f {
    let at = four_below(col, p.grid.n) * p.b.other + base + min(k, end - 1u) * p.b.k;
    return select(vec4f(0.0), vec4f(b[at.x], b[at.y], b[at.z], b[at.w]), k < end);
}

fn store(base: u32, row: u32, col: u32, value: vec4f) {
    if (row >= p.grid.m) {
        return;
    }
    let at = base + row * p.grid.n + col;
    let left = p.grid.n - min(col, p.grid.n);
    if (left > 0u) { result[at] = value.x; }
    if (left > 1u) { result[at + 1u] = value.y; }
    if (left > 2u) { result[at + 2u] = value.z; }
    if (left > 3u) { result[at + 3u] = value.w; }
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
    let base_a = p.a.offset + place.batch * p.a.trial;
    let base_b = p.b.offset + place.batch * p.b.trial;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.k);

    var c = mat4x4f();
    for (var k = begin; k < end; k += DEPTH) {
        for (var l = 0u; l < LOADS_A; l++) {
            let slot = lane + l * THREADS;
            let kk = select(slot / ROWS, slot % DEPTH, p.a.along_k == 1u);
            let m4 = select(slot % ROWS, slot / DEPTH, p.a.along_k == 1u);
            if (slot < SLOTS_A) {
                tile_a[kk * PITCH_A + m4] = load_a(base_a, place.row + 4u * m4, k + kk, end);
            }
        }
        for (var l = 0u; l < LOADS_B; l++) {
            let slot = lane + l * THREADS;
            let kk = select(slot / COLS, slot % DEPTH, p.b.along_k == 1u);
            let n4 = select(slot % COLS, slot / DEPTH, p.b.along_k == 1u);
            if (slot < SLOTS_B) {
                tile_b[kk * PITCH_B + n4] = load_b(base_b, place.col + 4u * n4, k + kk, end);
            }
        }
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let base = place.split * p.split_len + place.batch * p.grid.m * p.grid.n;
    let row = place.row + 4u * thread.y;
    let col = place.col + 4u * thread.x;
    store(base, row, col, c[0]);
    store(base, row + 1u, col, c[1]);
    store(base, row + 2u, col, c[2]);
    store(base, row + 3u, col, c[3]);
}
