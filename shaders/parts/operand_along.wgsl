// A part of matmul, once an operand, and of conv2d, for the weights, without a twin of its own.
// One operand of a matrix product, contiguous along the contraction, whose length is a multiple of DEPTH:
// blocks of four vec4s, turned while they are in registers.

//word x = a
//word X = A
//word BINDING = 1
// Elements across the contraction, and the strides along and across it.
//word LIMIT = 64u
//word ALONG = 1u
//word ACROSS = 1u
//import parts/tile.wgsl

@group(0) @binding({{BINDING}}) var<storage, read> {{x}}: array<vec4f>; // strided

override SLOTS_{{X}} = DEPTH / 4u * WIDTH_{{X}};

// Fills four slots of the tile: four neighbours across at four k.
fn fetch_{{x}}(base: u32, first: u32, k: u32, end: u32, slot: u32) {
    let kk = slot % (DEPTH / 4u) * 4u;
    let four = slot / (DEPTH / 4u);
    if (SLOTS_{{X}} % THREADS != 0u && slot >= SLOTS_{{X}}) {
        return;
    }
    let at = (four_below(first + 4u * four, {{LIMIT}}) * {{ACROSS}} + vec4u(base + k + kk)) / 4u;
    let block = transpose(mat4x4f({{x}}[at.x], {{x}}[at.y], {{x}}[at.z], {{x}}[at.w]));
    let to = kk * PITCH_{{X}} + four;
    tile_{{x}}[to] = Slice(block[0]);
    tile_{{x}}[to + PITCH_{{X}}] = Slice(block[1]);
    tile_{{x}}[to + 2u * PITCH_{{X}}] = Slice(block[2]);
    tile_{{x}}[to + 3u * PITCH_{{X}}] = Slice(block[3]);
}
