//! Elementary functions in `f32` as straight-line arithmetic, which compilers turn into vector code
//! (a call into the C library for every element is five to ten times slower).
//!
//! Polynomials: Cephes (Moshier) for exp, log and tanh; Juffa for erf. Each is good to a few units in
//! the last place over its whole range, denormals, infinities and NaN included.

const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// 1.5·2²³: adding it rounds to a whole number and leaves that number in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// `2ⁿ` for n in −126..=127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

/// Horner's rule, highest coefficient first.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = sum * x + c;
    }
    sum
}

#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Outside this range the result is 0 or ∞; comparisons with NaN are false, so NaN passes.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p =
        polynomial([1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1], r);
    let mantissa = p * (r * r) + r + 1.0;
    // 2ⁿ in two factors, so that tiny results become denormals and huge ones infinite.
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let half = n >> 1;
    mantissa * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

#[inline(always)]
pub fn log(x: f32) -> f32 {
    let denormal = x < f32::MIN_POSITIVE;
    let scaled = if denormal { x * 8_388_608.0 } else { x };
    // x = m·2ᵉ with m in [√½, √2)
    let bits = scaled.to_bits() as i32;
    let exponent = bits.wrapping_sub(0x3f35_04f3) >> 23;
    let m = f32::from_bits(bits.wrapping_sub(exponent << 23) as u32);
    let e = exponent as f32 - if denormal { 23.0 } else { 0.0 };
    let f = m - 1.0;
    let z = f * f;
    let p = polynomial(
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
    let y = f * z * p + e * LN2_LOW - 0.5 * z;
    let result = f + y + e * LN2_HIGH;
    let result = if x == f32::INFINITY { x } else { result };
    let result = if x == 0.0 { f32::NEG_INFINITY } else { result };
    if x >= 0.0 { result } else { f32::NAN }
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = polynomial([-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1], z);
    let near = p * z * x + x;
    let far = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    // NaN compares false and takes `far`, which is NaN.
    if x.abs() < 0.625 { near } else { far }
}

#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    // e^−|x| never overflows, and keeps full precision where the result is tiny.
    let e = exp(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let t = x.abs();
    let s = x * x;
    let tail = polynomial([-1.728_534_7e-5, 3.831_972e-4, -3.883_964_4e-3, 2.425_462_2e-2], t);
    let tail = polynomial([tail, -1.067_778_8e-1, -6.348_468_7e-1, -1.287_175_1e-1], t);
    let far = (1.0 - exp(tail * t - t)).copysign(x);
    let p = polynomial(
        [-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_3e-1, -3.761_253_4e-1, 1.283_791_7e-1],
        s,
    );
    let near = p * x + x;
    if t > 0.927_734_4 { far } else { near }
}
