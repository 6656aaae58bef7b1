// dw[t,o,c,u,v] = Σ_{b,i,j} g[t,b,o,i,j]·x[t,b,c, i·sh + u·dh − ph, j·sw + v·dw − pw]
// as an implicit matrix product per trial and group: rows o (O/G), columns (c,u,v), contraction (b,i,j).
// The next slices are fetched into registers while those before, which lie in the tiles, are multiplied.

//word SUMS = sums4
//import parts/conv.wgsl
//import parts/tile.wgsl
//import parts/{{SUMS}}.wgsl
//import parts/counter.wgsl

@group(0) @binding(1) var<storage, read> x: array<f32>; // (T,B,C,H,W)
@group(0) @binding(2) var<storage, read> g: array<f32>; // (T,B,O,I,J)
// 3: result (splits,T,O,C/G,U,V)

override SLOTS_A = DEPTH * WIDTH_A;
override SLOTS_B = DEPTH * WIDTH_B;
// True if a tap can lie outside the picture.
override PADDED: bool = true;

// For each column of the tile: offset of its channel in x, and the (wrapping) position of its tap.
var<workgroup> columns: array<vec3u, TILE_N>;

fn find_columns(first: u32, lane: u32) {
    for (var at = lane; at < TILE_N; at += THREADS) {
        let n = min(first + at, p.grid.n - 1u);
        let cu = n / p.kernel_w;
        columns[at] = vec3u(
            cu / p.kernel_h * p.height * p.width,
            cu % p.kernel_h * p.dilation_h - p.padding_h,
            n % p.kernel_w * p.dilation_w - p.padding_w,
        );
    }
}

fn load_x(picture: u32, h: u32, w: u32, inside: bool, column: vec3u) -> f32 {
    let ih = h + column.y;
    let iw = w + column.z;
    let at = picture + column.x + ih * p.width + iw;
    if (EXACT && !PADDED) {
        return x[at];
    }
    let ok = inside && ih < p.height && iw < p.width;
    return select(0.0, x[select(0u, at, ok)], ok);
}

@compute @workgroup_size(COLS, ROWS)
fn main(
    @builtin(workgroup_id) id: vec3u,
    @builtin(local_invocation_id) thread: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = find_place(id, p.grid);
    if (!place.inside) {
        return;
    }
    let trial = place.batch / p.groups;
    let group = place.batch % p.groups;
    let area = p.out_height * p.out_width;
    let base_x = trial * p.first_trial + group * p.group_channels * p.height * p.width;
    let base_g = trial * p.second_trial + group * p.group_outputs * area;
    let begin = place.split * p.grid.chunk;
    let end = min(begin + p.grid.chunk, p.k);
    find_columns(place.col, lane);
    workgroupBarrier();
    // Both operands are read along k, where they are contiguous.
    let at_k = lane % DEPTH;
    // No division by the size of an empty output.
    let out_height = max(p.out_height, 1u);
    let out_width = max(p.out_width, 1u);
    var pixel = count_to(begin + at_k, out_height, out_width);
    let step = count_to(DEPTH, out_height, out_width);

    var c = Sums();
//repeat l LOADS_A
    var a{{l}}: Slice;
//end
//repeat l LOADS_B
    var b{{l}}: Slice;
//end
    for (var k = begin; ; k += DEPTH) {
        if (k < end) {
            let inside = EXACT || k + at_k < end;
            let at_g = base_g + pixel.outer * p.outputs * area + pixel.middle * p.out_width + pixel.inner;
//repeat l LOADS_A
            if (SLOTS_A % THREADS == 0u || lane + {{l}}u * THREADS < SLOTS_A) {
                let row = place.row + 4u * (lane / DEPTH + {{l}}u * (THREADS / DEPTH));
                let at = select(vec4u(0u), four_below(row, p.grid.m) * area + vec4u(at_g), inside);
                a{{l}} = before(vec4f(g[at.x], g[at.y], g[at.z], g[at.w]), k + at_k, end);
            }
//end
            let picture = base_x + pixel.outer * p.channels * p.height * p.width;
            let h = pixel.middle * p.stride_h;
            let w = pixel.inner * p.stride_w;
//repeat l LOADS_B
            if (SLOTS_B % THREADS == 0u || lane + {{l}}u * THREADS < SLOTS_B) {
                let col = 4u * (lane / DEPTH + {{l}}u * (THREADS / DEPTH));
                b{{l}} = Slice(vec4f(
                    load_x(picture, h, w, inside, columns[col]),
                    load_x(picture, h, w, inside, columns[col + 1u]),
                    load_x(picture, h, w, inside, columns[col + 2u]),
                    load_x(picture, h, w, inside, columns[col + 3u]),
                ));
            }
//end
            pixel = advance(pixel, step, out_height, out_width);
        }
        if (k > begin) {
            c = multiply_tiles(c, thread.y, thread.x);
        }
        if (k >= end) {
            break;
        }
        workgroupBarrier();
//repeat l LOADS_A
        if (SLOTS_A % THREADS == 0u || lane + {{l}}u * THREADS < SLOTS_A) {
            tile_a[at_k * PITCH_A + lane / DEPTH + {{l}}u * (THREADS / DEPTH)] = a{{l}};
        }
//end
//repeat l LOADS_B
        if (SLOTS_B % THREADS == 0u || lane + {{l}}u * THREADS < SLOTS_B) {
            tile_b[at_k * PITCH_B + lane / DEPTH + {{l}}u * (THREADS / DEPTH)] = b{{l}};
        }
//end
        workgroupBarrier();
    }

    let base = place.split * p.split_len + trial * p.out_len + group * p.group_outputs * p.grid.n;
    let col = vec4u(place.col + 4u * thread.x) + vec4u(0u, 1u, 2u, 3u);
    store_tile(c, base, place.row + 4u * thread.y, p.grid.n, p.grid.m, col, col < vec4u(p.grid.n));
}
