// c[t,i,j] = Σ_k a[t,i,k]·b[t,k,j]. Both operands are strided views, trial stride 0 where shared.

//word SUMS = sums4
//word OPERAND_A = operand
//word OPERAND_B = operand
//import parts/grid.wgsl
//import parts/tile.wgsl
//import parts/{{SUMS}}.wgsl
//import parts/{{OPERAND_A}}.wgsl x=a X=A BINDING=1 LIMIT=p.grid.m ALONG=p.a.k ACROSS=p.a.across
//import parts/{{OPERAND_B}}.wgsl x=b X=B BINDING=2 LIMIT=p.grid.n ALONG=p.b.k ACROSS=p.b.across

struct Matrix {
    offset: u32,
    trial: u32,  // strides
    k: u32,      // along the contraction
    across: u32, // along rows of a, columns of b
}

struct Params {
    grid: Grid,
    a: Matrix,
    b: Matrix,
    k: u32,
    split_len: u32, // T·M·N
}

@group(0) @binding(0) var<uniform> p: Params;
// 1: a (T,M,K), 2: b (T,K,N), 3: result (splits,T,M,N)

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
    let base_a = p.a.offset + place.batch * p.a.trial;
    let base_b = p.b.offset + place.batch * p.b.trial;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.k);

    var c = Sums();
    for (var k = begin; k < end; k += DEPTH) {
//repeat l LOADS_A
        fetch_a(base_a, place.row, k, end, lane + {{l}}u * THREADS);
//end
//repeat l LOADS_B
        fetch_b(base_b, place.col, k, end, lane + {{l}}u * THREADS);
//end
        workgroupBarrier();
        c = multiply_tiles(c, thread.y, thread.x);
        workgroupBarrier();
    }

    let base = place.split * p.split_len + place.batch * p.grid.m * p.grid.n;
    let col = vec4u(place.col + 4u * thread.x) + vec4u(0u, 1u, 2u, 3u);
    store_tile(c, base, place.row + 4u * thread.y, p.grid.n, p.grid.m, col, col < vec4u(p.grid.n));
}
