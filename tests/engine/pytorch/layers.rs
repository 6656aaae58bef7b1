//! The functions of `make_ops.py`, written with the tape and the layers of `nn`.

use gia_gpu::{
    nn::loss::{cross_entropy, one_hot, softmax},
    tape::{
        Tape, Var,
        spec::{ConvSpec, WindowSpec},
    },
};

use super::operations::Case;

pub(crate) fn build(name: &str, case: &mut Case) -> Var {
    let x = |case: &Case| case.vars["x"];
    match name {
        _ if name.starts_with("conv2d") => conv2d(case),
        _ if name.starts_with("max_pool2d") => {
            let (x, spec) = (x(case), window(case));
            let index = case.tape.window_argmax(x, spec);
            case.tape.window_gather(x, index, spec)
        }
        _ if name.starts_with("avg_pool2d") => {
            let (x, spec) = (x(case), window(case));
            let sum = case.tape.window_sum(x, spec);
            case.tape.mul_scalar(sum, 1.0 / (spec.kernel[0] * spec.kernel[1]) as f64)
        }
        "batch_norm_eval" => {
            let [mean, variance] = ["mean", "var"].map(|n| per_channel(case, n));
            normalise(case, mean, variance)
        }
        "batch_norm_train" => {
            let [mean, variance] = moments(&mut case.tape, case.vars["x"], &[0, 2, 3]);
            normalise(case, mean, variance)
        }
        "layer_norm" => {
            let [mean, variance] = moments(&mut case.tape, case.vars["x"], &[2]);
            normalise(case, mean, variance)
        }
        "cross_entropy_hard" | "cross_entropy_large" => {
            let classes = case.tape.shape(case.vars["logits"])[1];
            let rows = one_hot(&case.labels, classes).into_iter().map(f64::from).collect();
            let targets = case.tape.literal(&[1, case.labels.len(), classes], rows);
            loss(case, targets)
        }
        "cross_entropy_soft" => {
            let targets = one_trial(&mut case.tape, case.vars["targets"]);
            let targets = softmax(&mut case.tape, targets);
            loss(case, targets)
        }
        "sum_mean_broadcast" => sum_mean_broadcast(case),
        _ => activation(name, &mut case.tape, case.vars["x"]),
    }
}

fn activation(name: &str, t: &mut Tape, x: Var) -> Var {
    match name {
        "sigmoid" => t.sigmoid(x),
        "tanh" => t.tanh(x),
        "erf" => t.erf(x),
        // x/2 · (1 + erf(x/√2))
        "gelu" => {
            let scaled = t.mul_scalar(x, std::f64::consts::FRAC_1_SQRT_2);
            let erf = t.erf(scaled);
            let half = t.mul_scalar(x, 0.5);
            let rest = t.mul(half, erf);
            t.add(half, rest)
        }
        // x · sigmoid(1.702 x)
        "quick_gelu" => {
            let scaled = t.mul_scalar(x, 1.702);
            let gate = t.sigmoid(scaled);
            t.mul(x, gate)
        }
        other => panic!("no definition of {other}"),
    }
}

/// `(…) → (1,…)`
fn one_trial(t: &mut Tape, x: Var) -> Var {
    let shape = [&[1], t.shape(x)].concat();
    t.reshape(x, &shape)
}

fn without_trial(t: &mut Tape, x: Var) -> Var {
    let shape = t.shape(x)[1..].to_vec();
    t.reshape(x, &shape)
}

fn conv2d(case: &mut Case) -> Var {
    let t = &case.tape;
    let [batch, channels, height, width] = t.shape(case.vars["x"])[..] else { panic!("(B,C,H,W)") };
    let [outputs, _, kh, kw] = t.shape(case.vars["w"])[..] else { panic!("(O,C/groups,kh,kw)") };
    let spec = ConvSpec {
        batch,
        channels,
        outputs,
        size: [height, width],
        kernel: [kh, kw],
        stride: case.pair("stride").unwrap_or([1; 2]),
        padding: case.pair("padding").unwrap_or([0; 2]),
        dilation: case.pair("dilation").unwrap_or([1; 2]),
        groups: case.number("groups").unwrap_or(1.0) as usize,
    };
    let [x, w] = ["x", "w"].map(|name| one_trial(&mut case.tape, case.vars[name]));
    let y = case.tape.conv2d(x, w, spec);
    let y = without_trial(&mut case.tape, y);
    match case.vars.contains_key("bias") {
        true => {
            let bias = per_channel(case, "bias");
            case.tape.add(y, bias)
        }
        false => y,
    }
}

fn window(case: &Case) -> WindowSpec {
    let shape = case.tape.shape(case.vars["x"]);
    let [kernel, stride, padding] = ["kernel", "stride", "padding"].map(|name| case.pair(name).unwrap());
    WindowSpec { size: [shape[2], shape[3]], kernel, stride, padding }
}

/// `(C) → (1,C,1,1)`
fn per_channel(case: &mut Case, name: &str) -> Var {
    let var = case.vars[name];
    let channels = case.tape.shape(var)[0];
    case.tape.reshape(var, &[1, channels, 1, 1])
}

/// Mean and biased variance over `axes`.
fn moments(t: &mut Tape, x: Var, axes: &[usize]) -> [Var; 2] {
    let mean = t.mean(x, axes);
    let centred = t.sub(x, mean);
    let square = t.mul(centred, centred);
    [mean, t.mean(square, axes)]
}

/// (x − μ)/√(σ² + ε)·weight + bias; the affine part is per channel for images, else per feature.
fn normalise(case: &mut Case, mean: Var, variance: Var) -> Var {
    let x = case.vars["x"];
    let [weight, bias] = if case.tape.shape(x).len() == 4 {
        ["weight", "bias"].map(|name| per_channel(case, name))
    } else {
        [case.vars["weight"], case.vars["bias"]]
    };
    let epsilon = case.number("eps").unwrap();
    let t = &mut case.tape;
    let variance = t.add_scalar(variance, epsilon);
    let inverse = t.rsqrt(variance);
    let centred = t.sub(x, mean);
    let normal = t.mul(centred, inverse);
    let scaled = t.mul(normal, weight);
    t.add(scaled, bias)
}

/// Mean cross entropy of `logits` with `targets (1,B,K)`.
fn loss(case: &mut Case, targets: Var) -> Var {
    let logits = one_trial(&mut case.tape, case.vars["logits"]);
    let loss = cross_entropy(&mut case.tape, logits, targets);
    case.tape.reshape(loss, &[])
}

/// (a·b + c − mean of a over axes 0 and 2) · Σ of c over axis 2 / (1 + d²)
fn sum_mean_broadcast(case: &mut Case) -> Var {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| case.vars[name]);
    let t = &mut case.tape;
    let product = t.mul(a, b);
    let sum = t.add(product, c);
    let mean = t.mean(a, &[0, 2]);
    let centred = t.sub(sum, mean);
    let factor = t.sum(c, &[2]);
    let scaled = t.mul(centred, factor);
    let square = t.mul(d, d);
    let divisor = t.add_scalar(square, 1.0);
    t.div(scaled, divisor)
}
