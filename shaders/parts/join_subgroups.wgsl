// A part of map_reduce, without a twin of its own.
// Joins the totals of all 256 invocations: by exchange within a subgroup, then over what one invocation of
// each subgroup shared. One barrier instead of eight; the order of additions depends on the subgroups' size.
// No `enable subgroups;`: naga does not know the directive yet and offers the functions without it.
// Combines by the kernel's own function: the built-in maximum need not pass on NaN.

//word COMBINE = sum
//import parts/numeric.wgsl

// All invocations work on one output.
const LANES = 256u;
const LANE_STEP = 1u;

struct Subgroup {
    size: u32,
    count: u32,
    at: u32,
    lane: u32,
}

var<workgroup> partial: array<f32, 256>; // by subgroup

fn join(total: f32, subgroup: Subgroup) -> f32 {
    var joined = total;
    for (var reach = 1u; reach < subgroup.size; reach *= 2u) {
        joined = {{COMBINE}}(joined, subgroupShuffleXor(joined, reach));
    }
    if (subgroup.lane == 0u) {
        partial[subgroup.at] = joined;
    }
    workgroupBarrier();
    joined = partial[0];
    for (var at = 1u; at < subgroup.count; at++) {
        joined = {{COMBINE}}(joined, partial[at]);
    }
    return joined;
}
