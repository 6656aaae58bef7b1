// A part of map, map_reduce, conv2d_grad_weight_direct and window_argmax, without a twin of its own.
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

// 2ⁿ for n in −126..=127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// exp and log after Cephes: drivers' own are off by |x| roundings (exp) and near 1 by many more (log),
// clamp NaN away, and differ from one another.

// x = n·ln 2 + r with ln 2 in two parts; a polynomial for eʳ; 2ⁿ in two factors, so that it may overflow.
fn exponential(x: f32) -> f32 {
    let bounded = clamp(x, -104.0, 89.0);
    let n = round(bounded * 1.442695041);
    // The min changes nothing, but compilers would otherwise add up the two parts of ln 2.
    let r = fma(n, 2.12194440e-4, min(fma(n, -0.693359375, bounded), 1.0));
    var q = fma(1.9875691500e-4, r, 1.3981999507e-3);
    q = fma(q, r, 8.3334519073e-3);
    q = fma(q, r, 4.1665795894e-2);
    q = fma(q, r, 1.6666665459e-1);
    q = fma(q, r, 5.0000001201e-1);
    q = fma(q, r * r, r) + 1.0;
    let half = i32(n) >> 1u;
    let result = q * power_of_two(half) * power_of_two(i32(n) - half);
    return select(result, x, is_nan(x));
}

// x = m·2ᵉ with m in [√½, √2); a polynomial for log m. The smallest normal number is the least argument.
fn logarithm(x: f32) -> f32 {
    let bits = bitcast<i32>(x);
    let e = (bits - 0x3f3504f3) >> 23u;
    let f = bitcast<f32>(bits - (e << 23u)) - 1.0;
    let s = f * f;
    var q = fma(7.0376836292e-2, f, -1.1514610310e-1);
    q = fma(q, f, 1.1676998740e-1);
    q = fma(q, f, -1.2420140846e-1);
    q = fma(q, f, 1.4249322787e-1);
    q = fma(q, f, -1.6668057665e-1);
    q = fma(q, f, 2.0000714765e-1);
    q = fma(q, f, -2.4999993993e-1);
    q = fma(q, f, 3.3333331174e-1);
    let y = fma(f * s, q, fma(f32(e), -2.12194440e-4, -0.5 * s));
    var result = fma(f32(e), 0.693359375, f + y);
    result = select(result, from_bits(0xff800000u), (bits & 0x7fffffff) < 0x00800000);
    result = select(result, from_bits(0x7fc00000u), x < 0.0);
    return select(result, x, is_nan(x) || bits == 0x7f800000);
}

// WGSL leaves a quotient open where |b| > 2¹²⁶: 1/b is then subnormal, and hardware that multiplies by it
// flushes it to 0.
fn quotient(a: f32, b: f32) -> f32 {
    let scale = select(1.0, 0.25, abs(b) > power_of_two(126));
    return (a * scale) / (b * scale);
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
    let far = sign(x) * (1.0 - 2.0 / (exponential(2.0 * min(abs(x), 20.0)) + 1.0));
    return select(select(far, near, abs(x) < 0.6), x, is_nan(x));
}

// Written with e^{−|x|} ≤ 1 on both sides.
fn logistic(x: f32) -> f32 {
    let e = exponential(-abs(x));
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
    far = sign(x) * (1.0 - exponential(fma(far, t, -t)));
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
