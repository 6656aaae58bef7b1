// A part of matmul, conv2d, conv2d_grad_input and conv2d_grad_weight in tiles of one band, without a twin of its own.
// The results of one invocation: rows 4·row to 4·row + 3 of its tile, columns 4·col to 4·col + 3.
//

//import parts/tile.wgsl

alias Sums = mat4x4f;

// c[i][j] += Σ_k A[4·row + i, k]·B[k, 4·col + j], unrolled: a WGSL loop stays a loop.
fn multiply_tiles(start: Sums, row: u32, col: u32) -> Sums {
    var c = start;
//repeat k DEPTH
    c = rank1(c, vec4f(tile_a[{{k}}u * PITCH_A + row]), vec4f(tile_b[{{k}}u * PITCH_B + col]));
//end
    return c;
}

fn store_tile(c: Sums, base: u32, row: u32, step: u32, rows: u32, at: vec4u, wanted: vec4<bool>) {
//repeat i 4
    store_row(base, row + {{i}}u, step, rows, at, wanted, c[{{i}}]);
//end
}
