// conv2d_grad_weight for groups of few channels (depthwise), whose tiles would be nearly empty:
// one workgroup per weight, its invocations stride through (b,i,j) and a tree joins them. A variant without a twin of
// its own: it shares that of conv2d_grad_weight.

//import parts/conv.wgsl
//import parts/join_tree.wgsl LANES=256 LANE_STEP=1 COMBINE=sum

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (T,B,C,H,W)
@group(0) @binding(2) var<storage, read> g: array<f32>;            // (T,B,O,I,J)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (splits,T,O,C/G,U,V)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = id.y * p.grid.fold + id.x;
    if (at >= p.grid.groups) {
        return;
    }
    let split = at % p.grid.splits;
    let weight = at / p.grid.splits; // in (T,O,C/G,U,V)
    let v = weight % p.kernel_w;
    let u = weight / p.kernel_w % p.kernel_h;
    let plane = weight / p.kernel_w / p.kernel_h;
    let o = plane / p.group_channels % p.outputs;
    let channel = o / p.group_outputs * p.group_channels + plane % p.group_channels;
    let trial = plane / p.group_channels / p.outputs;
    let area = p.out_height * p.out_width;
    let base_x = trial * p.first_trial + channel * p.height * p.width;
    let base_g = trial * p.second_trial + o * area;

    var total = 0.0;
    let end = min((split + 1u) * p.grid.chunk, p.k);
    for (var k = split * p.grid.chunk + lane; k < end; k += LANES) {
        let b = k / area;
        let pixel = k % area;
        let ih = pixel / p.out_width * p.stride_h + u * p.dilation_h - p.padding_h;
        let iw = pixel % p.out_width * p.stride_w + v * p.dilation_w - p.padding_w;
        if (ih < p.height && iw < p.width) {
            let image = base_x + b * p.channels * p.height * p.width;
            total = fma(g[base_g + b * p.outputs * area + pixel], x[image + ih * p.width + iw], total);
        }
    }

    let joined = join(total, lane, lane);
    if (lane == 0u) {
        result[split * p.split_len + weight] = joined;
    }
}
