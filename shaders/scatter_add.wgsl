// table[n,d] = Σ_m values[m,d] over the m with index[m] = n: the adjoint of gather, in pull form, so that
// the order of additions is fixed. Many values are split over workgroups and summed by a second kernel.

struct Params {
    size: u32,   // N·D
    fold: u32,   // workgroups per row of the dispatch
    width: u32,  // D
    count: u32,  // M
    splits: u32,
    chunk: u32,  // values of one split
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;       // (M,D)
@group(0) @binding(2) var<storage, read> index: array<f32>;        // (M)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (splits,N,D)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * p.fold + group.x) * 256u + lane;
    if (at / p.splits >= p.size) {
        return;
    }
    let split = at / p.size;
    let row = f32(at % p.size / p.width);
    let column = at % p.width;
    var total = 0.0;
    let end = min((split + 1u) * p.chunk, p.count);
    for (var m = split * p.chunk; m < end; m++) {
        if (floor(index[m]) == row) {
            total += values[m * p.width + column];
        }
    }
    result[at] = total;
}
