// A fused expression reduced over the trailing axes of its index space: result[o] = reduce_r value(o, r).
// A workgroup holds OUTPUTS outputs, LANES invocations each; an invocation strides through r, then
// the lanes are joined. A long reduction is split over workgroups whose partial results are reduced again.
// Uses parts/numeric.wgsl and parts/join_tree.wgsl or, for one output a workgroup where the device has
// subgroups, parts/join_subgroups.wgsl.

struct Params {
    outputs: u32, // N
    length: u32,  // L, reduced elements of one output
    splits: u32,
    chunk: u32,   // reduced elements of one split
    fold: u32,    // workgroups per row of the dispatch
{{FIELDS}}}

@group(0) @binding(0) var<uniform> p: Params;
{{READS}}@group(0) @binding({{RESULT}}) var<storage, read_write> result: array<f32>; // (N, splits)

const LANES = {{LANES}}u;
const OUTPUTS = 256u / LANES;
// Which of the two runs along neighbouring invocations: the one that is contiguous in memory.
const LANE_STEP = {{LANE_STEP}}u;
const OUTPUT_STEP = {{OUTPUT_STEP}}u;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,{{BUILTINS}}
) {
    let group = id.y * p.fold + id.x;
    let split = group % p.splits;
    let lane = thread / LANE_STEP % LANES;
    let o = group / p.splits * OUTPUTS + thread / OUTPUT_STEP % OUTPUTS;

    var total = from_bits({{IDENTITY}});
    if (o < p.outputs) {
        let end = min((split + 1u) * p.chunk, p.length);
{{PREPARE}}        for (var r = split * p.chunk + lane; r < end; r += LANES) {
            let i = o * p.length + r;
{{EVALUATE}}            total = {{COMBINE}}(total, {{VALUE}});
        }
    }

    let joined = join(total, {{JOINED}});
    if (lane == 0u && o < p.outputs) {
        result[o * p.splits + split] = joined;
    }
}
