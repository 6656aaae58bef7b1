//! Elementary functions in `f32`, vector by vector (a call into the C library for every element is five to ten times slower).
//!
//! Polynomials: Cephes (Moshier) for exp, log and tanh; Juffa for erf. Each is good to a few units in
//! the last place over its whole range, denormals, infinities and NaN included.

use fearless_simd::{Bytes, Select, Simd, SimdBase, SimdCvtFloat, SimdFloat, SimdMask};

const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// 1.5·2²³: adding it rounds to a whole number and leaves that number in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// `2ⁿ` for n in −126..=127.
#[inline(always)]
fn power_of_two<S: Simd>(n: S::i32s) -> S::f32s {
    ((n + 127) << 23).bitcast()
}

/// Horner's rule, highest coefficient first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, coefficients: [f32; N], x: S::f32s) -> S::f32s {
    let mut sum = S::f32s::splat(simd, coefficients[0]);
    for &c in &coefficients[1..] {
        sum = sum.mul_add(x, c);
    }
    sum
}

#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| S::f32s::splat(simd, value);
    // Outside this range the result is 0 or ∞; comparisons with NaN are false, so NaN passes.
    let x = x.simd_gt(89.0).select(splat(89.0), x);
    let x = x.simd_lt(-104.0).select(splat(-104.0), x);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let p = polynomial(
        simd,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1],
        r,
    );
    let mantissa = p.mul_add(r * r, r) + 1.0;
    // 2ⁿ in two factors, so that tiny results become denormals and huge ones infinite.
    let n = rounded.bitcast::<S::i32s>() - ROUNDER.to_bits() as i32;
    let half = n >> 1;
    mantissa * power_of_two::<S>(half) * power_of_two::<S>(n - half)
}

#[inline(always)]
pub(crate) fn log<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| S::f32s::splat(simd, value);
    let denormal = x.simd_lt(f32::MIN_POSITIVE);
    let scaled = denormal.select(x * 8_388_608.0, x);
    // x = m·2ᵉ with m in [√½, √2)
    let bits = scaled.bitcast::<S::i32s>();
    let exponent = (bits - 0x3f35_04f3) >> 23;
    let m: S::f32s = (bits - (exponent << 23)).bitcast();
    let e = S::f32s::float_from(exponent) - denormal.select(splat(23.0), splat(0.0));
    let f = m - 1.0;
    let z = f * f;
    let p = polynomial(
        simd,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
        f,
    );
    let y = z.mul_add(-0.5, e.mul_add(LN2_LOW, f * z * p));
    let result = e.mul_add(LN2_HIGH, f + y);
    let result = x.simd_eq(f32::INFINITY).select(x, result);
    let result = x.simd_eq(0.0).select(splat(f32::NEG_INFINITY), result);
    x.simd_ge(0.0).select(result, splat(f32::NAN))
}

#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(simd, 1.0);
    let z = x * x;
    let p =
        polynomial(simd, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1], z);
    let near = (p * z).mul_add(x, x);
    // NaN compares false and takes `far`, which is NaN.
    let is_near = x.abs().simd_lt(0.625);
    if is_near.all_true() {
        return near;
    }
    let far = (one - (one + one) / (exp(simd, x.abs() * 2.0) + 1.0)).copysign(x);
    is_near.select(near, far)
}

#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(simd, 1.0);
    // e^−|x| never overflows, and keeps full precision where the result is tiny.
    let e = exp(simd, -x.abs());
    x.simd_lt(0.0).select(e, one) / (one + e)
}

#[inline(always)]
pub(crate) fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(simd, 1.0);
    let t = x.abs();
    let s = x * x;
    let p = polynomial(
        simd,
        [-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_3e-1, -3.761_253_4e-1, 1.283_791_7e-1],
        s,
    );
    let near = p.mul_add(x, x);
    let is_far = t.simd_gt(0.927_734_4);
    // Most of what networks compute is near 0.
    if is_far.all_false() {
        return near;
    }
    let tail = polynomial(
        simd,
        [
            -1.728_534_7e-5,
            3.831_972e-4,
            -3.883_964_4e-3,
            2.425_462_2e-2,
            -1.067_778_8e-1,
            -6.348_468_7e-1,
            -1.287_175_1e-1,
        ],
        t,
    );
    let far = (one - exp(simd, tail.mul_add(t, -t))).copysign(x);
    is_far.select(far, near)
}
