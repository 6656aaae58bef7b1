// conv2d_grad_weight where every channel is a group of its own and the sum over (b,i,j) is short:
// dw[t,c,u,v] = Σ_{b,i,j} g[t,b,c,i,j]·x[t,b,c, i·sh + u·dh − ph, j·sw + v·dw − pw], one invocation each. Long sums go by
// conv2d_grad_weight_direct. A variant without a twin of its own: it shares that of conv2d_grad_weight.

//import parts/conv.wgsl

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (T,B,C,H,W)
@group(0) @binding(2) var<storage, read> g: array<f32>;            // (T,B,C,I,J)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (T,C,1,U,V)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (id.y * p.grid.fold + id.x) * 256u + lane; // in (T,C,1,U,V)
    if (at >= p.grid.groups) {
        return;
    }
    let v = at % p.kernel_w;
    let u = at / p.kernel_w % p.kernel_h;
    let plane = at / p.kernel_w / p.kernel_h;
    let c = plane % p.channels;
    let trial = plane / p.channels;
    let area = p.out_height * p.out_width;
    let base_x = trial * p.first_trial + c * p.height * p.width;
    let base_g = trial * p.second_trial + c * area;

    var total = 0.0;
    for (var k = 0u; k < p.k; k++) {
        let picture = k / area * p.channels;
        let pixel = k % area;
        let h = pixel / p.out_width * p.stride_h + u * p.dilation_h - p.padding_h;
        let w = pixel % p.out_width * p.stride_w + v * p.dilation_w - p.padding_w;
        if (h < p.height && w < p.width) {
            total = fma(g[base_g + picture * area + pixel], x[base_x + (picture * p.height + h) * p.width + w], total);
        }
    }
    result[at] = total;
}
