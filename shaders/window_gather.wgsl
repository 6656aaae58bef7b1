// y[p,i,j] = the element of window (i,j) of x at row-major position index[p,i,j]; 0 if that lies in the
// padding or outside the window.

//import parts/window.wgsl

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (P,H,W)
@group(0) @binding(2) var<storage, read> index: array<f32>;        // (P,I,J)
@group(0) @binding(3) var<storage, read_write> result: array<f32>; // (P,I,J)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * p.fold + group.x) * 256u + lane;
    if (at >= p.size) {
        return;
    }
    let j = at % p.out_width;
    let i = at / p.out_width % p.out_height;
    let plane = at / p.out_width / p.out_height * p.height * p.width;
    let position = index[at];
    var value = 0.0;
    if (position >= 0.0 && position < f32(p.kernel_h * p.kernel_w)) {
        let h = i * p.stride_h + u32(position) / p.kernel_w - p.padding_h;
        let w = j * p.stride_w + u32(position) % p.kernel_w - p.padding_w;
        if (h < p.height && w < p.width) {
            value = x[plane + h * p.width + w];
        }
    }
    result[at] = value;
}
