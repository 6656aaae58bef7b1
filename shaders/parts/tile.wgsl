// A part of matmul, conv2d, conv2d_grad_input and conv2d_grad_weight, without a twin of its own.
// A contraction C = A·B, tile by tile: one workgroup of ROWS × COLS invocations owns
// TILE_M × TILE_N results, each invocation BANDS × 4 rows of 4. A kernel fills tile_a and tile_b with the
// next DEPTH slices of its operands, then calls multiply_tiles (parts/sums*.wgsl). Every result adds up its
// products in the order of k whatever the tile, so all variants give the same bits.

//word SLICE = slice_f32
//import parts/grid.wgsl
//import parts/{{SLICE}}.wgsl

// The result, splits first; the rest of its shape stands in the kernel.
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

override ROWS: u32 = 16;
override COLS: u32 = 16;
override BANDS: u32 = 1;
// Slices of the operands that the tiles hold at a time.
override DEPTH: u32 = 16;
// True if the sizes are multiples of the tile's: nothing lies beyond an end.
override EXACT: bool = false;
// How often every invocation fetches from each operand to fill its tile.
override LOADS_A: u32 = 1;
override LOADS_B: u32 = 1;

override THREADS = ROWS * COLS;
// Slices that all invocations together cover when neighbours lie across B.
override STRIDE = min(ROWS, DEPTH);
// vec4s across a slice, and one of padding, so that stores along k spread over the banks.
override WIDTH_A = ROWS * BANDS;
override WIDTH_B = COLS;
override PITCH_A = WIDTH_A + 1u;
override PITCH_B = WIDTH_B + 1u;
override TILE_M = 4u * WIDTH_A;
override TILE_N = 4u * WIDTH_B;

var<workgroup> tile_a: array<Slice, DEPTH * PITCH_A>; // (DEPTH, TILE_M)
var<workgroup> tile_b: array<Slice, DEPTH * PITCH_B>; // (DEPTH, TILE_N)

struct Place {
    inside: bool, // false for the workgroups that only fill the last row of the dispatch
    row: u32,     // first row of this tile
    col: u32,
    split: u32,
    batch: u32,
}

fn find_place(id: vec3u, grid: Grid) -> Place {
    let group = id.y * grid.fold + id.x;
    let m = group / grid.tiles_n;
    let split = m / grid.tiles_m;
    return Place(
        group < grid.groups,
        (m % grid.tiles_m) * TILE_M,
        (group % grid.tiles_n) * TILE_N,
        split % grid.splits,
        split / grid.splits,
    );
}

// Four consecutive indices, those beyond the end moved onto the last: what they compute is not stored.
fn four_below(first: u32, end: u32) -> vec4u {
    let four = vec4u(first) + vec4u(0u, 1u, 2u, 3u);
    if (EXACT) {
        return four;
    }
    return min(four, vec4u(end - 1u));
}

// Zero beyond the part of the contraction summed here.
fn before(value: vec4f, k: u32, end: u32) -> Slice {
    if (EXACT) {
        return Slice(value);
    }
    return Slice(select(vec4f(0.0), value, k < end));
}

fn rank1(c: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(a.x), b, c[0]),
        fma(vec4f(a.y), b, c[1]),
        fma(vec4f(a.z), b, c[2]),
        fma(vec4f(a.w), b, c[3]),
    );
}

// One row of four results; column j is `at[j]` elements from the row's start.
fn store_row(base: u32, row: u32, step: u32, rows: u32, at: vec4u, wanted: vec4<bool>, value: vec4f) {
    if (!EXACT && row >= rows) {
        return;
    }
    let to = at + vec4u(base + row * step);
    if (EXACT || wanted.x) { result[to.x] = value.x; }
    if (EXACT || wanted.y) { result[to.y] = value.y; }
    if (EXACT || wanted.z) { result[to.z] = value.z; }
    if (EXACT || wanted.w) { result[to.w] = value.w; }
}
