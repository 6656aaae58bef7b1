// A part of matmul, once an operand, and of conv2d, for the weights, without a twin of its own.
// One operand of a matrix product, contiguous across the contraction in whole vec4s.

//word x = a
//word X = A
//word BINDING = 1
// Elements across the contraction, and the strides along and across it.
//word LIMIT = 64u
//word ALONG = 1u
//word ACROSS = 1u
//import parts/tile.wgsl

@group(0) @binding({{BINDING}}) var<storage, read> {{x}}: array<vec4f>; // strided

override SLOTS_{{X}} = DEPTH * WIDTH_{{X}};

// Fills one slot of the tile: four neighbours across at one k.
fn fetch_{{x}}(base: u32, first: u32, k: u32, end: u32, slot: u32) {
    let kk = slot / WIDTH_{{X}};
    let four = slot % WIDTH_{{X}};
    if (SLOTS_{{X}} % THREADS != 0u && slot >= SLOTS_{{X}}) {
        return;
    }
    var across = first + 4u * four;
    var reached = k + kk;
    if (!EXACT) {
        across = min(across, {{LIMIT}} - 4u);
        reached = min(reached, end - 1u);
    }
    tile_{{x}}[kk * PITCH_{{X}} + four] = before({{x}}[(base + across + reached * {{ALONG}}) / 4u], k + kk, end);
}
