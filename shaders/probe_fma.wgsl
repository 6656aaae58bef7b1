// The most multiply-adds that an adapter can do: eight chains of four lanes an invocation, in registers, each waiting
// for itself alone. A WGSL loop stays a loop in what drivers compile, so the body of a trip is
// repeated: beside that, counting trips costs little. Its twin is `multiply_adds` in src/device/cpu/probe.rs.

struct Params {
    trips: u32,
    factor: f32, // that the compiler cannot know
    term: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> result: array<f32>; // (invocations): keeps the chains alive

// Multiply-adds of each chain in one trip.
override REPEATS: u32 = 4;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let factor = vec4f(p.factor);
    let term = vec4f(p.term);
    let start = vec4f(0.0, 1.0, 2.0, 3.0) + f32(id.x);
    var a = start;
    var b = start + 4.0;
    var c = start + 8.0;
    var d = start + 12.0;
    var e = start + 16.0;
    var f = start + 20.0;
    var g = start + 24.0;
    var h = start + 28.0;
    for (var trip = 0u; trip < p.trips; trip++) {
//repeat i REPEATS
        a = fma(a, factor, term);
        b = fma(b, factor, term);
        c = fma(c, factor, term);
        d = fma(d, factor, term);
        e = fma(e, factor, term);
        f = fma(f, factor, term);
        g = fma(g, factor, term);
        h = fma(h, factor, term);
//end
    }
    result[id.x] = dot((a + b) + (c + d), (e + f) + (g + h));
}
