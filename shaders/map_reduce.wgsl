// A fused expression reduced over the trailing axes of its index space: result[o] = reduce_r value(o, r).
// A workgroup holds OUTPUTS outputs, LANES invocations each; an invocation strides through r, then
// the lanes are joined: by subgroups where the device has them and a workgroup holds one output, else in a tree.
// A long reduction is split over workgroups whose partial results are reduced again.

//word FIELDS =
//word READS = @group(0) @binding(1) var<storage, read> read0: array<f32>;
//word RESULT = 2
//word PREPARE =
//word EVALUATE = let v0 = read0[i];
//word VALUE = v0
//word COMBINE = sum
//word JOIN = join_tree
//word BUILTINS =
//word JOINED = thread, lane
//import parts/numeric.wgsl
//import parts/{{JOIN}}.wgsl

struct Params {
    outputs: u32, // N
    length: u32,  // L, reduced elements of one output
    splits: u32,
    chunk: u32,   // reduced elements of one split
    fold: u32,    // workgroups per row of the dispatch
{{FIELDS}}
}

@group(0) @binding(0) var<uniform> p: Params;
{{READS}}
@group(0) @binding({{RESULT}}) var<storage, read_write> result: array<f32>; // (N, splits)

override OUTPUTS = 256u / LANES;
// Invocations from one output to the next. This or LANE_STEP is 1: what is contiguous in memory runs along
// neighbouring invocations.
override OUTPUT_STEP: u32 = 256;
// Bits of the float that combining starts from.
override IDENTITY: u32 = 0;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,{{BUILTINS}}
) {
    let group = id.y * p.fold + id.x;
    let split = group % p.splits;
    let lane = thread / LANE_STEP % LANES;
    let o = group / p.splits * OUTPUTS + thread / OUTPUT_STEP % OUTPUTS;

    var total = from_bits(IDENTITY);
    if (o < p.outputs) {
        let end = min((split + 1u) * p.chunk, p.length);
{{PREPARE}}
        for (var r = split * p.chunk + lane; r < end; r += LANES) {
            let i = o * p.length + r;
{{EVALUATE}}
            total = {{COMBINE}}(total, {{VALUE}});
        }
    }

    let joined = join(total, {{JOINED}});
    if (lane == 0u && o < p.outputs) {
        result[o * p.splits + split] = joined;
    }
}
