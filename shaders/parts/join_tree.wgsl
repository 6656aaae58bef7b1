// A part of map_reduce and conv2d_grad_weight_direct, without a twin of its own.
// Joins the totals of the lanes of every output in a tree; lane 0 gets the result.

//word COMBINE = sum
//import parts/numeric.wgsl

// Invocations of one output, a power of two, and from one of them to the next.
override LANES: u32 = 256;
override LANE_STEP: u32 = 1;

var<workgroup> partial: array<f32, 256>;

fn join(total: f32, thread: u32, lane: u32) -> f32 {
    partial[thread] = total;
    for (var reach = LANES / 2u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (lane < reach) {
            partial[thread] = {{COMBINE}}(partial[thread], partial[thread + reach * LANE_STEP]);
        }
    }
    return partial[thread];
}
