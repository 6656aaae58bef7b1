// A part of matmul and of conv2d, conv2d_grad_input, conv2d_grad_weight and conv2d_grad_weight_direct,
// without a twin of its own. How the workgroups of a contraction cover its result.

struct Grid {
    groups: u32,  // workgroups in all
    fold: u32,    // workgroups per row of the dispatch
    tiles_m: u32,
    tiles_n: u32,
    splits: u32,  // parts of the contraction, summed by a second kernel
    chunk: u32,   // contracted length of one part
    m: u32,       // rows of C
    n: u32,       // columns of C
}
