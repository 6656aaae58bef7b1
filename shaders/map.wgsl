// A fused pointwise expression over an index space, one element an invocation.
// Rust fills in the views' parameters, the operands and the expression; see kernels/expression.rs.

//word FIELDS =
//word READS = @group(0) @binding(1) var<storage, read> read0: array<f32>;
//word RESULT = 2
//word PREPARE =
//word EVALUATE = let v0 = read0[i];
//word VALUE = v0
//import parts/numeric.wgsl

struct Params {
    size: u32,   // elements of the index space
    fold: u32,   // workgroups per row of the dispatch
{{FIELDS}}
}

@group(0) @binding(0) var<uniform> p: Params;
{{READS}}
@group(0) @binding({{RESULT}}) var<storage, read_write> result: array<f32>; // row-major over the index space

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * p.fold + group.x) * 256u + lane;
    if (i >= p.size) {
        return;
    }
{{PREPARE}}
{{EVALUATE}}
    result[i] = {{VALUE}};
}
