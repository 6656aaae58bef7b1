//! Every file of `shaders/`; a test compares the list with the folder.

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../../shaders/", $path)))),*]
    };
}

pub(crate) const FILES: &[(&str, &str)] = files![
    "conv2d.wgsl"
    "conv2d_depthwise.wgsl"
    "conv2d_grad_input.wgsl"
    "conv2d_grad_input_depthwise.wgsl"
    "conv2d_grad_weight.wgsl"
    "conv2d_grad_weight_depthwise.wgsl"
    "conv2d_grad_weight_direct.wgsl"
    "gather.wgsl"
    "map.wgsl"
    "map_reduce.wgsl"
    "matmul.wgsl"
    "probe_fma.wgsl"
    "probe_triad.wgsl"
    "scatter_add.wgsl"
    "window_argmax.wgsl"
    "window_gather.wgsl"
    "window_scatter.wgsl"
    "window_spread.wgsl"
    "window_sum.wgsl"
    "parts/conv.wgsl"
    "parts/counter.wgsl"
    "parts/depthwise.wgsl"
    "parts/grid.wgsl"
    "parts/join_subgroups.wgsl"
    "parts/join_tree.wgsl"
    "parts/numeric.wgsl"
    "parts/operand.wgsl"
    "parts/operand_across.wgsl"
    "parts/operand_along.wgsl"
    "parts/residue.wgsl"
    "parts/slice_f16.wgsl"
    "parts/slice_f32.wgsl"
    "parts/sums4.wgsl"
    "parts/sums8.wgsl"
    "parts/tile.wgsl"
    "parts/window.wgsl"
];
