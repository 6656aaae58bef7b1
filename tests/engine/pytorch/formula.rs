//! Numbers that Python and Rust work out alike, so that no fixture needs to hold them: weights, pictures,
//! observed gradients, and the signs that results are projected on. The twin of
//! `tests/fixtures/formula.py`; both say everything in integers and in f64 operations that IEEE 754 rounds
//! one way.

/// What the numbers are for.
#[derive(Clone, Copy)]
enum Kind {
    Weights = 1,
    Picture = 2,
    Observed = 3,
    Signs = 4,
    Statistics = 5,
}

/// Random signs of an element that a sketch takes.
pub(crate) const SIGN_VECTORS: usize = 8;

/// SplitMix64 of (kind, seed, ordinal, index): 64 random bits an element.
fn words(kind: Kind, seed: usize, ordinal: usize) -> impl Iterator<Item = u64> {
    assert!(seed < 1 << 12 && ordinal < 1 << 12, "seed {seed}, ordinal {ordinal}");
    let stream = ((kind as u64) << 24 | (seed as u64) << 12 | ordinal as u64) << 32;
    (0..1_u64 << 32).map(move |i| {
        let z = (stream + i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    })
}

/// `n` times centre + scale·U[−1, 1), rounded to f32.
fn uniform(words: impl Iterator<Item = u64>, n: usize, centre: f64, scale: f64) -> Vec<f64> {
    let value = |z: u64| {
        let unit = (z >> 40) as f64 * 2_f64.powi(-23) - 1.0;
        f64::from((unit * scale + centre) as f32)
    };
    words.take(n).map(value).collect()
}

/// A parameter's value, by its position among all. Norm layers with a smaller `gain` make a deep network
/// better conditioned in train mode.
pub(crate) fn weight(ordinal: usize, name: &str, shape: &[usize], gain: f64) -> Vec<f64> {
    let (centre, scale) = match shape {
        _ if name.ends_with("running_mean") => (0.0, 0.1),
        _ if name.ends_with("running_var") => (1.0, 0.5),
        _ if name.ends_with("bias") => (0.0, 0.2),
        [_] => (0.7 * gain, 0.25 * gain),
        _ => (0.0, (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt()),
    };
    uniform(words(Kind::Weights, 0, ordinal), shape.iter().product(), centre, scale)
}

/// Pixels of variance 1.
pub(crate) fn picture(seed: usize, ordinal: usize, n: usize) -> Vec<f64> {
    uniform(words(Kind::Picture, seed, ordinal), n, 0.0, 3_f64.sqrt())
}

/// A tensor of an observed gradient of about this norm.
pub(crate) fn observed(ordinal: usize, norm: f64, n: usize) -> Vec<f64> {
    uniform(words(Kind::Observed, 0, ordinal), n, 0.0, norm * (3.0 / n as f64).sqrt())
}

/// Mean and variance of a client's batch at a batch norm of `n` channels.
pub(crate) fn statistics(layer: usize, n: usize) -> [Vec<f64>; 2] {
    let part = |i: usize, centre, scale| uniform(words(Kind::Statistics, 0, 2 * layer + i), n, centre, scale);
    [part(0, 0.0, 0.3), part(1, 1.0, 0.5)]
}

/// Elements summed on their own first, which keeps the rounding of long sums small.
const CHUNK: usize = 4096;

/// ‖values‖ and their products with vectors of random signs.
pub(crate) fn sketch(values: &[f64]) -> [f64; 1 + SIGN_VECTORS] {
    let mut sketch = [0.0; 1 + SIGN_VECTORS];
    let mut words = words(Kind::Signs, 0, 0);
    for chunk in values.chunks(CHUNK) {
        let mut part = [0.0; 1 + SIGN_VECTORS];
        for (&value, bits) in chunk.iter().zip(words.by_ref()) {
            part[0] += value * value;
            for (k, product) in part[1..].iter_mut().enumerate() {
                // The bit becomes the sign bit: a branch would be foretold wrongly every second time.
                *product += f64::from_bits(value.to_bits() ^ (bits >> k & 1) << 63);
            }
        }
        sketch.iter_mut().zip(part).for_each(|(s, p)| *s += p);
    }
    sketch[0] = sketch[0].sqrt();
    sketch
}
