// A part of matmul, conv2d, conv2d_grad_input and conv2d_grad_weight in tiles of two bands, without a twin of its own.
// The results of one invocation: two bands of four rows, TILE_M/2 apart so that neighbouring invocations
// read neighbouring vec4s, and columns 4·col to 4·col + 3: a third fewer reads a product than 4 × 4 results.
//

//import parts/tile.wgsl

struct Sums {
    top: mat4x4f,
    bottom: mat4x4f,
}

// c[i][j] += Σ_k A[row of i, k]·B[k, 4·col + j], unrolled: a WGSL loop stays a loop.
fn multiply_tiles(start: Sums, row: u32, col: u32) -> Sums {
    var c = start;
    var b: vec4f;
//repeat k DEPTH
    b = vec4f(tile_b[{{k}}u * PITCH_B + col]);
    c.top = rank1(c.top, vec4f(tile_a[{{k}}u * PITCH_A + row]), b);
    c.bottom = rank1(c.bottom, vec4f(tile_a[{{k}}u * PITCH_A + ROWS + row]), b);
//end
    return c;
}

fn store_tile(c: Sums, base: u32, row: u32, step: u32, rows: u32, at: vec4u, wanted: vec4<bool>) {
//repeat i 4
    store_row(base, row + {{i}}u, step, rows, at, wanted, c.top[{{i}}]);
//end
//repeat i 4
    store_row(base, row + TILE_M / 2u + {{i}}u, step, rows, at, wanted, c.bottom[{{i}}]);
//end
}
