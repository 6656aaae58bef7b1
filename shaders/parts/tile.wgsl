// A contraction C = A·B, tile by tile: one workgroup of ROWS × COLS invocations owns
// 4·ROWS × 4·COLS results, each invocation 4 × 4 of them. A kernel fills tile_a and tile_b with the
// next DEPTH slices of its operands, then calls multiply_tiles. Uses parts/grid.wgsl.

struct Place {
    inside: bool, // false for the workgroups that only fill the last row of the dispatch
    row: u32,     // first row of this tile
    col: u32,
    split: u32,
    batch: u32,
}

const ROWS = {{ROWS}}u;
const COLS = {{COLS}}u;
const THREADS = ROWS * COLS;
const DEPTH = 16u;
// One vec4 of padding a slice, so that stores along k spread over the banks.
const PITCH_A = ROWS + 1u;
const PITCH_B = COLS + 1u;
const SLOTS_A = DEPTH * ROWS;
const SLOTS_B = DEPTH * COLS;
const LOADS_A = (SLOTS_A + THREADS - 1u) / THREADS;
const LOADS_B = (SLOTS_B + THREADS - 1u) / THREADS;

var<workgroup> tile_a: array<vec4f, DEPTH * PITCH_A>; // (DEPTH, 4·ROWS)
var<workgroup> tile_b: array<vec4f, DEPTH * PITCH_B>; // (DEPTH, 4·COLS)

fn find_place(id: vec3u, grid: Grid) -> Place {
    let group = id.y * grid.fold + id.x;
    let m = group / grid.tiles_n;
    let split = m / grid.tiles_m;
    return Place(
        group < grid.groups,
        (m % grid.tiles_m) * 4u * ROWS,
        (group % grid.tiles_n) * 4u * COLS,
        split % grid.splits,
        split / grid.splits,
    );
}

// Four consecutive indices, those beyond the end moved onto the last: what they compute is not stored.
fn four_below(first: u32, end: u32) -> vec4u {
    return min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(end - 1u));
}

fn rank1(c: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(a.x), b, c[0]),
        fma(vec4f(a.y), b, c[1]),
        fma(vec4f(a.z), b, c[2]),
        fma(vec4f(a.w), b, c[3]),
    );
}

// c[i][j] += Σ_k A[4·row + i, k]·B[k, 4·col + j], unrolled: a WGSL loop stays a loop.
fn multiply_tiles(start: mat4x4f, row: u32, col: u32) -> mat4x4f {
    var c = rank1(start, tile_a[row], tile_b[col]);
    c = rank1(c, tile_a[PITCH_A + row], tile_b[PITCH_B + col]);
    c = rank1(c, tile_a[2u * PITCH_A + row], tile_b[2u * PITCH_B + col]);
    c = rank1(c, tile_a[3u * PITCH_A + row], tile_b[3u * PITCH_B + col]);
    c = rank1(c, tile_a[4u * PITCH_A + row], tile_b[4u * PITCH_B + col]);
    c = rank1(c, tile_a[5u * PITCH_A + row], tile_b[5u * PITCH_B + col]);
    c = rank1(c, tile_a[6u * PITCH_A + row], tile_b[6u * PITCH_B + col]);
    c = rank1(c, tile_a[7u * PITCH_A + row], tile_b[7u * PITCH_B + col]);
    c = rank1(c, tile_a[8u * PITCH_A + row], tile_b[8u * PITCH_B + col]);
    c = rank1(c, tile_a[9u * PITCH_A + row], tile_b[9u * PITCH_B + col]);
    c = rank1(c, tile_a[10u * PITCH_A + row], tile_b[10u * PITCH_B + col]);
    c = rank1(c, tile_a[11u * PITCH_A + row], tile_b[11u * PITCH_B + col]);
    c = rank1(c, tile_a[12u * PITCH_A + row], tile_b[12u * PITCH_B + col]);
    c = rank1(c, tile_a[13u * PITCH_A + row], tile_b[13u * PITCH_B + col]);
    c = rank1(c, tile_a[14u * PITCH_A + row], tile_b[14u * PITCH_B + col]);
    return rank1(c, tile_a[15u * PITCH_A + row], tile_b[15u * PITCH_B + col]);
}
