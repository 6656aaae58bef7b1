// The most memory traffic that an adapter can do: a ← b + s·c in order, four lanes a load (McCalpin's STREAM). Its twin is
// `triad` in src/device/cpu/probe.rs.

struct Params {
    size: u32,   // vectors of four
    fold: u32,   // workgroups per row of the dispatch
    factor: f32, // s
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;            // (size)
@group(0) @binding(2) var<storage, read> c: array<vec4f>;            // (size)
@group(0) @binding(3) var<storage, read_write> a: array<vec4f>;      // (size)

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * p.fold + group.x) * 256u + lane;
    if (i >= p.size) {
        return;
    }
    a[i] = fma(vec4f(p.factor), c[i], b[i]);
}
