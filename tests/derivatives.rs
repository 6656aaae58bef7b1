//! Directional checks, in f64 on the CPU device, of first and second derivatives of every operation and
//! composite.
//!
//! For a random weighting r of the outputs, φ(x) = ⟨r, f(x)⟩ and a random direction d: ∂φ·d must be the
//! central difference of φ along d, and ∂(∂φ·d')·d that of ∂φ·d'.

use gia_gpu::{
    device::cpu::Cpu,
    nn::loss,
    plan::Plan,
    random,
    tape::{
        Tape, Var,
        spec::{ConvSpec, WindowSpec},
    },
};
use rand_chacha::ChaCha8Rng;

/// Values of `keep`, given values of inputs.
fn evaluate(tape: &Tape, keep: &[Var], inputs: &[(Var, Vec<f64>)]) -> Vec<Vec<f64>> {
    let plan = Plan::new(tape, keep, &[]);
    let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
    inputs.iter().for_each(|(v, data)| exe.write_typed(*v, data).unwrap());
    exe.run(1).unwrap();
    keep.iter().map(|&v| exe.read_typed(v).unwrap()).collect()
}

fn normal(rng: &mut ChaCha8Rng, len: usize) -> Vec<f64> {
    random::normal(rng, len).into_iter().map(f64::from).collect()
}

/// Checks orders 1 and 2 of `f` at a random point, moved away from kinks by `place`.
fn check_placed(
    name: &str,
    shapes: &[&[usize]],
    place: impl Fn(f64) -> f64,
    f: impl Fn(&mut Tape, &[Var]) -> Var,
) {
    let mut rng = random::generator(7, name);
    let mut tape = Tape::new();
    let xs: Vec<Var> = shapes.iter().map(|s| tape.input(s)).collect();
    let y = f(&mut tape, &xs);
    let shape = tape.shape(y).to_vec();
    let weights = normal(&mut rng, shape.iter().product());
    let weights = tape.literal(&shape, weights);
    let directions: Vec<Vec<f64>> = xs.iter().map(|&x| normal(&mut rng, tape.len_of(x))).collect();
    let directions_2: Vec<Var> = xs
        .iter()
        .map(|&x| {
            let d = normal(&mut rng, tape.len_of(x));
            let shape = tape.shape(x).to_vec();
            tape.literal(&shape, d)
        })
        .collect();
    let total = |tape: &mut Tape, v: Var| {
        let axes: Vec<_> = (0..tape.shape(v).len()).collect();
        let s = tape.sum(v, &axes);
        tape.reshape(s, &[1])
    };

    let product = tape.mul(y, weights);
    let value = total(&mut tape, product);
    let first = tape.grad(value, &xs);
    // ∂φ·d', differentiated once more.
    let mut slope = tape.full(&[1], 0.0);
    for (&g, &d) in first.iter().zip(&directions_2) {
        let product = tape.mul(g, d);
        let part = total(&mut tape, product);
        slope = tape.add(slope, part);
    }
    let second = tape.grad(slope, &xs);

    let point: Vec<Vec<f64>> =
        xs.iter().map(|&x| normal(&mut rng, tape.len_of(x)).into_iter().map(&place).collect()).collect();
    let along = |h: f64| -> Vec<(Var, Vec<f64>)> {
        let moved = point
            .iter()
            .zip(&directions)
            .map(|(p, d)| p.iter().zip(d).map(|(p, d)| p + h * d).collect::<Vec<f64>>());
        xs.iter().copied().zip(moved).collect()
    };
    let keep: Vec<Var> = first.iter().chain(&second).copied().collect();
    let grads = evaluate(&tape, &keep, &along(0.0));
    let dot = |gs: &[Vec<f64>]| -> f64 {
        gs.iter().zip(&directions).map(|(g, d)| g.iter().zip(d).map(|(g, d)| g * d).sum::<f64>()).sum()
    };
    let h = 1e-5;
    let (up, down) =
        (evaluate(&tape, &[value, slope], &along(h)), evaluate(&tape, &[value, slope], &along(-h)));
    for (order, analytic, at) in [(1, dot(&grads[..xs.len()]), 0), (2, dot(&grads[xs.len()..]), 1)] {
        let numeric = (up[at][0] - down[at][0]) / (2.0 * h);
        // Truncation h²·f''' and cancellation ε/h are both near 1e-10 here, times the scale of the values.
        let scale = 1.0 + analytic.abs() + up[at][0].abs();
        assert!(
            (analytic - numeric).abs() < 1e-7 * scale,
            "{name}, order {order}: derivative {analytic}, difference {numeric}"
        );
    }
}

fn check(name: &str, shapes: &[&[usize]], f: impl Fn(&mut Tape, &[Var]) -> Var) {
    check_placed(name, shapes, |x| x, f);
}

#[test]
fn smooth_unary_operations() {
    let s: &[&[usize]] = &[&[3, 4]];
    check("neg", s, |t, x| t.neg(x[0]));
    check("exp", s, |t, x| t.exp(x[0]));
    check("tanh", s, |t, x| t.tanh(x[0]));
    check("sigmoid", s, |t, x| t.sigmoid(x[0]));
    check("erf", s, |t, x| t.erf(x[0]));
    for n in [0, 1, 2, 3, 5] {
        check("powi", s, |t, x| t.powi(x[0], n));
    }
    let positive = |x: f64| x.abs() + 0.5;
    check_placed("log", s, positive, |t, x| t.log(x[0]));
    check_placed("sqrt", s, positive, |t, x| t.sqrt(x[0]));
    check_placed("rsqrt", s, positive, |t, x| t.rsqrt(x[0]));
    check_placed("powi -2", s, positive, |t, x| t.powi(x[0], -2));
}

#[test]
fn operations_with_kinks_away_from_them() {
    let s: &[&[usize]] = &[&[3, 4], &[3, 4]];
    let away = |x: f64| x + 0.1 * x.signum();
    let cubed = |t: &mut Tape, v: Var| t.powi(v, 3);
    check_placed("abs", s, away, |t, x| {
        let a = t.abs(x[0]);
        cubed(t, a)
    });
    check_placed("step", s, away, |t, x| {
        let (m, p) = (t.step(x[0]), cubed(t, x[1]));
        t.mul(m, p)
    });
    check_placed("sign", s, away, |t, x| {
        let (m, p) = (t.sign(x[0]), cubed(t, x[1]));
        t.mul(m, p)
    });
    check_placed("relu", s, away, |t, x| {
        let r = t.relu(x[0]);
        cubed(t, r)
    });
    for which in 0..5 {
        check("binary masks", s, |t, x| {
            let (a, b) = (cubed(t, x[0]), cubed(t, x[1]));
            match which {
                0 => t.max(a, b),
                1 => t.min(a, b),
                2 => {
                    let m = t.less(x[0], x[1]);
                    t.select(m, a, b)
                }
                3 => {
                    let m = t.equal(x[0], x[0]);
                    t.select(m, a, b)
                }
                _ => {
                    let m = t.less(x[1], x[0]);
                    let s = t.mul(m, a);
                    t.sub(s, b)
                }
            }
        });
    }
}

#[test]
fn binary_operations_broadcast() {
    for (a, b) in [(&[3usize, 4][..], &[3usize, 4][..]), (&[3, 1], &[1, 4]), (&[2, 3, 4], &[4]), (&[1], &[5])]
    {
        check("add", &[a, b], |t, x| t.add(x[0], x[1]));
        check("sub", &[a, b], |t, x| t.sub(x[0], x[1]));
        check("mul", &[a, b], |t, x| t.mul(x[0], x[1]));
        check_placed("div", &[a, b], |x| x + x.signum(), |t, x| t.div(x[0], x[1]));
    }
}

#[test]
fn shape_operations() {
    let s: &[&[usize]] = &[&[2, 3, 4]];
    type Build = fn(&mut Tape, Var) -> Var;
    let all: [(&str, Build); 9] = [
        ("reshape", |t, x| t.reshape(x, &[4, 6])),
        ("permute", |t, x| t.permute(x, &[2, 0, 1])),
        ("broadcast", |t, x| {
            let x = t.reshape(x, &[2, 3, 1, 4]);
            t.broadcast_to(x, &[5, 2, 3, 2, 4])
        }),
        ("slice", |t, x| t.slice(x, &[0, 1, 2], &[2, 2, 1])),
        ("pad", |t, x| t.pad(x, &[1, 0, 2], &[4, 3, 7])),
        ("flip", |t, x| t.flip(x, &[0, 2])),
        ("concat", |t, x| {
            let half = t.mul_scalar(x, 0.5);
            t.concat(&[x, half, x], 1)
        }),
        ("permute then reshape", |t, x| {
            let p = t.permute(x, &[1, 2, 0]);
            t.reshape(p, &[6, 4])
        }),
        ("pad then flip, reshape and slice", |t, x| {
            let p = t.pad(x, &[0, 2, 1], &[2, 6, 6]);
            let f = t.flip(p, &[1]);
            let r = t.reshape(f, &[2, 36]);
            t.slice(r, &[0, 5], &[1, 20])
        }),
    ];
    for (name, f) in all {
        check(name, s, |t, x| {
            let cube = t.powi(x[0], 3);
            let y = f(t, cube);
            t.mul(y, y)
        });
    }
}

#[test]
fn reductions() {
    for axes in [&[0usize][..], &[1], &[2], &[0, 2], &[0, 1, 2]] {
        check("sum", &[&[2, 3, 4]], |t, x| {
            let cube = t.powi(x[0], 3);
            let s = t.sum(cube, axes);
            t.mul(s, s)
        });
        check("mean", &[&[2, 3, 4]], |t, x| {
            let m = t.mean(x[0], axes);
            let d = t.sub(x[0], m);
            t.powi(d, 3)
        });
    }
}

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
fn third_derivative_of_a_cube_is_six() {
    let mut tape = Tape::new();
    let x = tape.input(&[2]);
    let mut y = tape.powi(x, 3);
    for _ in 0..3 {
        y = tape.grad(y, &[x])[0];
    }
    assert_eq!(evaluate(&tape, &[y], &[(x, vec![0.3, -2.0])]), [vec![6.0, 6.0]]);
}
