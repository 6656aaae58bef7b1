// Row-major position in its window of the largest element of x (P,H,W): the first of equals, NaN above
// all numbers, 0 for a window that lies in the padding.

//import parts/window.wgsl
//import parts/numeric.wgsl

@group(0) @binding(1) var<storage, read> x: array<f32>;            // (P,H,W)
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // (P,I,J)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * p.fold + group.x) * 256u + lane;
    if (at >= p.size) {
        return;
    }
    let j = at % p.out_width;
    let i = at / p.out_width % p.out_height;
    let plane = at / p.out_width / p.out_height * p.height * p.width;
    let rows = span(i, p.stride_h, p.kernel_h, p.padding_h, p.height);
    let cols = span(j, p.stride_w, p.kernel_w, p.padding_w, p.width);

    var best = 0.0;
    var found = false;
    var index = 0u;
    for (var h = rows.x; h < rows.y; h++) {
        for (var w = cols.x; w < cols.y; w++) {
            let value = x[plane + h * p.width + w];
            if (!found || (!is_nan(best) && (is_nan(value) || value > best))) {
                best = value;
                found = true;
                index = (h + p.padding_h - i * p.stride_h) * p.kernel_w + w + p.padding_w - j * p.stride_w;
            }
        }
    }
    result[at] = f32(index);
}
