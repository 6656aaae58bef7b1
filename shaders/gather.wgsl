// values[m,d] = table[index[m], d]; zeros where the index lies outside the table.

struct Params {
    size: u32,  // M·D
    fold: u32,  // workgroups per row of the dispatch
    rows: u32,  // N
    width: u32, // D
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;        // (N,D)
@group(0) @binding(2) var<storage, read> index: array<f32>;        // (M)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (M,D)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * p.fold + group.x) * 256u + lane;
    if (at >= p.size) {
        return;
    }
    let row = index[at / p.width];
    var value = 0.0;
    if (row >= 0.0 && u32(row) < p.rows) {
        value = table[u32(row) * p.width + at % p.width];
    }
    result[at] = value;
}
