// A part of matmul, once an operand, and of conv2d, for the weights, without a twin of its own.
// One operand of a matrix product, element by element: neighbouring invocations read along the contraction
// or across it, whichever is contiguous.

//word x = a
//word X = A
//word BINDING = 1
// Elements across the contraction, and the strides along and across it.
//word LIMIT = 64u
//word ALONG = 1u
//word ACROSS = 1u
//import parts/tile.wgsl

@group(0) @binding({{BINDING}}) var<storage, read> {{x}}: array<f32>; // strided

// True if neighbouring invocations read along the contraction.
override ALONG_{{X}}: bool = true;
override SLOTS_{{X}} = DEPTH * WIDTH_{{X}};

// Fills one slot of the tile: four neighbours across at one k.
fn fetch_{{x}}(base: u32, first: u32, k: u32, end: u32, slot: u32) {
    let kk = select(slot / WIDTH_{{X}}, slot % DEPTH, ALONG_{{X}});
    let four = select(slot % WIDTH_{{X}}, slot / DEPTH, ALONG_{{X}});
    if (SLOTS_{{X}} % THREADS != 0u && slot >= SLOTS_{{X}}) {
        return;
    }
    var reached = k + kk;
    if (!EXACT) {
        reached = min(reached, end - 1u);
    }
    let at = four_below(first + 4u * four, {{LIMIT}}) * {{ACROSS}} + vec4u(base + reached * {{ALONG}});
    tile_{{x}}[kk * PITCH_{{X}} + four] = before(vec4f({{x}}[at.x], {{x}}[at.y], {{x}}[at.z], {{x}}[at.w]), k + kk, end);
}
