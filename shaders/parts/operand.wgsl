// A part of matmul, once an operand, and of conv2d, for the weights, without a twin of its own.
// Operand {{X}} of a matrix product, element by element: neighbouring invocations read along the contraction
// if that is what is contiguous, else across it. Uses parts/tile.wgsl.

@group(0) @binding({{BINDING}}) var<storage, read> {{x}}: array<f32>; // strided

const ALONG_{{X}} = {{ALONG}};
const SLOTS_{{X}} = DEPTH * WIDTH_{{X}};

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
    let at = four_below(first + 4u * four, {{LIMIT}}) * {{ACROSS}} + vec4u(base + reached * {{STEP}});
    tile_{{x}}[kk * PITCH_{{X}} + four] = before(vec4f({{x}}[at.x], {{x}}[at.y], {{x}}[at.z], {{x}}[at.w]), k + kk, end);
}
