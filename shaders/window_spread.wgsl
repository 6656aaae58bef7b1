// dx[p,h,w] = Σ g[p,i,j] over the windows that hold (h,w): the adjoint of window_sum, in pull form.

//import parts/window.wgsl

@group(0) @binding(1) var<storage, read> g: array<f32>;            // (P,I,J)
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // (P,H,W)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * p.fold + group.x) * 256u + lane;
    if (at >= p.size) {
        return;
    }
    let w = at % p.width;
    let h = at / p.width % p.height;
    let plane = at / p.width / p.height * p.out_height * p.out_width;
    let rows = holders(h, p.stride_h, p.kernel_h, p.padding_h, p.out_height);
    let cols = holders(w, p.stride_w, p.kernel_w, p.padding_w, p.out_width);

    var total = 0.0;
    for (var i = rows.x; i < rows.y; i++) {
        for (var j = cols.x; j < cols.y; j++) {
            total += g[plane + i * p.out_width + j];
        }
    }
    result[at] = total;
}
