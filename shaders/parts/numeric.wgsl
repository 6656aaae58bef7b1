// Scalar functions of a fused expression, safe at the edges of f32 and for NaN.
// Shader compilers may assume that NaN does not occur, so NaN is recognised by its bits.

fn from_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// IEEE x ≠ 0: true for NaN and for subnormals that the hardware may flush.
fn is_nonzero(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) != 0u;
}

// NaN in, NaN out: drivers' own versions clamp their argument and lose it.
fn exponential(x: f32) -> f32 {
    return select(exp(x), x, is_nan(x));
}

fn logarithm(x: f32) -> f32 {
    return select(log(x), x, is_nan(x));
}

fn square_root(x: f32) -> f32 {
    return select(sqrt(x), x, is_nan(x));
}

fn reciprocal_root(x: f32) -> f32 {
    return select(inverseSqrt(x), x, is_nan(x));
}

// Odd minimax polynomial near 0, 1 − 2/(e^{2|x|} + 1) elsewhere, so nothing overflows into ∞/∞.
fn hyperbolic_tangent(x: f32) -> f32 {
    let s = x * x;
    var p = fma(0.0157394409, s, -0.052302558);
    p = fma(p, s, 0.13315247);
    p = fma(p, s, -0.333327681);
    let near = fma(p * s, x, x);
    let far = sign(x) * (1.0 - 2.0 / (exp(2.0 * min(abs(x), 20.0)) + 1.0));
    return select(select(far, near, abs(x) < 0.6), x, is_nan(x));
}

// Written with e^{−|x|} ≤ 1 on both sides.
fn logistic(x: f32) -> f32 {
    let e = exp(-min(abs(x), 120.0));
    return select(select(e, 1.0, x >= 0.0) / (1.0 + e), x, is_nan(x));
}

// erf by two minimax fits: odd in x below 475/512, 1 − exp(−polynomial) above.
fn error_function(x: f32) -> f32 {
    let t = min(abs(x), 10.0);
    let s = t * t;
    var near = fma(-5.96761703e-4, s, 4.99119423e-3);
    near = fma(near, s, -2.67681349e-2);
    near = fma(near, s, 1.12819925e-1);
    near = fma(near, s, -3.76125336e-1);
    near = fma(near, s, 1.28379166e-1);
    near = fma(near, x, x);
    var far = fma(fma(-1.72853470e-5, t, 3.83197126e-4), s, fma(-3.88396438e-3, t, 2.42546219e-2));
    far = fma(far, t, -1.06777877e-1);
    far = fma(far, t, -6.34846687e-1);
    far = fma(far, t, -1.28717512e-1);
    far = sign(x) * (1.0 - exp(fma(far, t, -t)));
    return select(select(far, near, t <= 0.927734375), x, is_nan(x));
}

fn step_above_zero(x: f32) -> f32 {
    return select(0.0, 1.0, x > 0.0 && !is_nan(x));
}

fn sign_of(x: f32) -> f32 {
    return step_above_zero(x) - step_above_zero(-x);
}

fn less(a: f32, b: f32) -> f32 {
    return select(0.0, 1.0, a < b && !is_nan(a) && !is_nan(b));
}

fn equal(a: f32, b: f32) -> f32 {
    return select(0.0, 1.0, a == b && !is_nan(a) && !is_nan(b));
}

// A NaN in either operand is the result.
fn maximum(a: f32, b: f32) -> f32 {
    return select(b, a, is_nan(a) || a > b);
}

fn minimum(a: f32, b: f32) -> f32 {
    return select(b, a, is_nan(a) || a < b);
}

fn square(x: f32) -> f32 {
    return x * x;
}

fn sum(a: f32, b: f32) -> f32 {
    return a + b;
}
