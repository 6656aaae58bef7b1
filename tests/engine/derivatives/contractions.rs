//! Contractions, indexed operations and composites.

use gia_gpu::{
    nn::{
        attention::{Heads, attention, causal_mask, join_heads, split_heads},
        gelu::{gelu, gelu_tanh, quick_gelu},
        layer_norm::layer_norm,
        loss,
    },
    tape::{
        Tape,
        spec::{ConvSpec, WindowSpec},
    },
};

use super::support::{check, evaluate};

#[test]
fn contractions() {
    check("matmul", &[&[2, 3, 4], &[2, 4, 5]], |t, x| t.matmul(x[0], x[1]));
    check("matmul of transposed and shared operands", &[&[2, 4, 3], &[1, 5, 4]], |t, x| {
        let b = t.broadcast_to(x[1], &[2, 5, 4]);
        let (a, b) = (t.transpose(x[0]), t.transpose(b));
        t.matmul(a, b)
    });
    for (stride, padding, dilation, groups) in [
        ([1, 1], [0, 0], [1, 1], 1),
        ([2, 1], [1, 2], [1, 1], 1),
        ([2, 3], [2, 0], [2, 1], 1),
        ([1, 2], [1, 1], [1, 2], 2),
    ] {
        let spec = ConvSpec {
            batch: 2,
            channels: 4,
            outputs: 6,
            size: [7, 6],
            kernel: [3, 2],
            stride,
            padding,
            dilation,
            groups,
        };
        for trials in [1, 3] {
            let (x, w, g) = (spec.input_shape(trials), spec.weight_shape(1), spec.output_shape(trials));
            let shared = spec.weight_shape(trials);
            check("conv2d", &[&x, &w], |t, v| {
                let w = t.broadcast_to(v[1], &shared);
                t.conv2d(v[0], w, spec)
            });
            check("conv2d_grad_input", &[&g, &w], |t, v| {
                let w = t.broadcast_to(v[1], &shared);
                t.conv2d_grad_input(v[0], w, spec)
            });
            check("conv2d_grad_weight", &[&x, &g], |t, v| t.conv2d_grad_weight(v[0], v[1], spec));
        }
    }
}

#[test]
fn indexed_operations() {
    for spec in [
        WindowSpec { size: [6, 6], kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
        WindowSpec { size: [7, 5], kernel: [3, 2], stride: [2, 1], padding: [1, 1] },
    ] {
        let [oh, ow] = spec.output_size();
        let large: &[usize] = &[2, 3, spec.size[0], spec.size[1]];
        let small: &[usize] = &[2, 3, oh, ow];
        check("max pooling", &[large], |t, x| {
            let index = t.window_argmax(x[0], spec);
            let y = t.window_gather(x[0], index, spec);
            t.powi(y, 3)
        });
        check("window_scatter", &[large, small], |t, x| {
            let index = t.window_argmax(x[0], spec);
            let cube = t.powi(x[1], 3);
            t.window_scatter(cube, index, spec)
        });
        check("window_sum", &[large], |t, x| {
            let cube = t.powi(x[0], 3);
            t.window_sum(cube, spec)
        });
        check("window_spread", &[small], |t, x| {
            let cube = t.powi(x[0], 3);
            t.window_spread(cube, spec)
        });
    }
    let index = || vec![2.0, 0.0, 2.0, 4.0, 1.0];
    check("gather", &[&[4, 3]], |t, x| {
        let i = t.literal(&[5], index());
        let cube = t.powi(x[0], 3);
        t.gather(cube, i)
    });
    check("scatter_add", &[&[5, 3]], |t, x| {
        let i = t.literal(&[5], index());
        let cube = t.powi(x[0], 3);
        t.scatter_add(cube, i, 4)
    });
}

#[test]
fn composites() {
    check("log_softmax", &[&[2, 3, 5]], |t, x| loss::log_softmax(t, x[0]));
    check("softmax", &[&[2, 3, 5]], |t, x| loss::softmax(t, x[0]));
    check("cross_entropy with soft targets", &[&[2, 3, 5], &[2, 3, 5]], |t, x| {
        let targets = loss::softmax(t, x[1]);
        loss::cross_entropy(t, x[0], targets)
    });
    check("total variation", &[&[2, 2, 3, 4, 4]], |t, x| {
        let cube = t.powi(x[0], 3);
        gia_gpu::attack::prior::total_variation(t, cube)
    });
}

#[test]
fn parts_of_a_transformer() {
    check("gelu", &[&[3, 4]], |t, x| gelu(t, x[0]));
    check("quick_gelu", &[&[3, 4]], |t, x| quick_gelu(t, x[0]));
    check("gelu_tanh", &[&[3, 4]], |t, x| gelu_tanh(t, x[0]));
    check("layer norm", &[&[2, 3, 5], &[5], &[5]], |t, x| layer_norm(t, x[0], x[1], x[2], 1e-5));
    let sizes = Heads { batch: 2, tokens: 3, heads: 2 };
    let token = &[1, 6, 4][..];
    check("attention", &[token, token, token, &[4]], |t, x| {
        let parts = [0, 1, 2].map(|i| split_heads(t, x[i], x[3], sizes));
        let mask = causal_mask(t, 3);
        let y = attention(t, parts, Some(mask));
        join_heads(t, y, sizes)
    });
    check("cosine", &[&[3, 4], &[3, 4]], |t, x| gia_gpu::clip::cosine(t, x[0], x[1]));
}

#[test]
fn third_derivative_of_a_cube_is_six() {
    let mut tape = Tape::new();
    let x = tape.input(&[2]);
    let mut y = tape.powi(x, 3);
    for _ in 0..3 {
        y = tape.grad(y, &[x])[0];
    }
    assert_eq!(evaluate(&tape, &[y], &[(x, vec![0.3, -2.0])]), [vec![6.0, 6.0]]);
}
