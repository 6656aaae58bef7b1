//! The transforms of F(4×4, 3×3) along one axis, at the points 0, ±√½, ±√2 and ∞.
//!
//! A polynomial product is found from its values at six points (Winograd 1980; Lavin and Gray 2016). The usual points 0, ±1,
//! ±2, ∞ lose more than a digit; those here, each other's reciprocals, keep the transforms' entries close to one, and the
//! error at about twice that of a plain sum (compare Alam, Anderson and Gregg 2022).
//!
//! With Bᵀ for inputs, G for weights and Aᵀ for outputs, `conv = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ x B)]A`; the gradient by w is the
//! transpose in w, `Gᵀ[(A g Aᵀ) ⊙ (Bᵀ x B)]G`.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use fearless_simd::{Simd, SimdFloat};

use crate::device::cpu::vectors::{Real, V};

/// `a·x + y`
#[inline(always)]
fn fma<S: Simd, R: Real>(a: f64, x: V<S, R>, y: V<S, R>) -> V<S, R> {
    x.mul_add(R::of(a), y)
}

/// `Bᵀd`
#[inline(always)]
pub(crate) fn input<S: Simd, R: Real>(d: [V<S, R>; 6]) -> [V<S, R>; 6] {
    let fma = fma::<S, R>;
    let (small, large) = (FRAC_1_SQRT_2, SQRT_2);
    let (even, odd) = (fma(-2.0, d[2], d[4]), fma(-2.0, d[1], d[3]));
    let (even_large, odd_large) = (fma(-0.5, d[2], d[4]), fma(-0.5, d[1], d[3]));
    [
        fma(-2.5, d[2], d[0] + d[4]),
        fma(small, odd, even),
        fma(-small, odd, even),
        fma(large, odd_large, even_large),
        fma(-large, odd_large, even_large),
        fma(-2.5, d[3], d[1] + d[5]),
    ]
}

/// `Gw`
#[inline(always)]
pub(crate) fn weight<S: Simd, R: Real>(w: [V<S, R>; 3]) -> [V<S, R>; 6] {
    let fma = fma::<S, R>;
    let of = R::of;
    // 1/f, p/f and p²/f, where f is the product of a point's distances to the others: −3/2 and 6.
    let even = fma(-1.0 / 3.0, w[2], w[0] * of(-2.0 / 3.0));
    let odd = w[1] * of(-FRAC_1_SQRT_2 * 2.0 / 3.0);
    let even_large = fma(1.0 / 3.0, w[2], w[0] * of(1.0 / 6.0));
    let odd_large = w[1] * of(SQRT_2 / 6.0);
    [w[0], even + odd, even - odd, even_large + odd_large, even_large - odd_large, w[2]]
}

/// `Aᵀm`
#[inline(always)]
pub(crate) fn output<S: Simd, R: Real>(m: [V<S, R>; 6]) -> [V<S, R>; 4] {
    let fma = fma::<S, R>;
    let of = R::of;
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let (even_large, odd_large) = (m[3] + m[4], m[3] - m[4]);
    [
        m[0] + (even + even_large),
        fma(SQRT_2, odd_large, odd * of(FRAC_1_SQRT_2)),
        fma(2.0, even_large, even * of(0.5)),
        fma(2.0 * SQRT_2, odd_large, fma(0.5 * FRAC_1_SQRT_2, odd, m[5])),
    ]
}

/// `Ag`
#[inline(always)]
pub(crate) fn gradient<S: Simd, R: Real>(g: [V<S, R>; 4]) -> [V<S, R>; 6] {
    let fma = fma::<S, R>;
    let (small, large) = (FRAC_1_SQRT_2, SQRT_2);
    let (even, odd) = (fma(0.5, g[2], g[0]), fma(0.5, g[3], g[1]));
    let (even_large, odd_large) = (fma(2.0, g[2], g[0]), fma(2.0, g[3], g[1]));
    [
        g[0],
        fma(small, odd, even),
        fma(-small, odd, even),
        fma(large, odd_large, even_large),
        fma(-large, odd_large, even_large),
        g[3],
    ]
}

/// `Gᵀm`
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd, R: Real>(m: [V<S, R>; 6]) -> [V<S, R>; 3] {
    let fma = fma::<S, R>;
    let of = R::of;
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let (even_large, odd_large) = (m[3] + m[4], m[3] - m[4]);
    [
        fma(1.0 / 6.0, even_large, fma(-2.0 / 3.0, even, m[0])),
        fma(SQRT_2 / 6.0, odd_large, odd * of(-FRAC_1_SQRT_2 * 2.0 / 3.0)),
        fma(1.0 / 3.0, even_large, fma(-1.0 / 3.0, even, m[5])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    use fearless_simd::{Fallback, SimdBase};

    /// `Σ_k w[k]·d[i+k]` from the transforms, and its transpose in w.
    #[test]
    fn the_transforms_give_the_convolution_and_its_transpose() {
        type Vector = V<Fallback, f64>;
        let d = [0.3, -1.0, 0.7, 2.0, -0.4, 0.9];
        let w = [0.5, -0.25, 1.5];
        let g = [1.0, -0.5, 0.125, 0.75];
        let everywhere = |value| Vector::splat(Fallback::new(), value);
        let transformed = input::<Fallback, f64>(d.map(everywhere));
        let products = |a: [Vector; 6]| std::array::from_fn(|i| a[i] * transformed[i]);
        let out = output::<Fallback, f64>(products(weight::<Fallback, f64>(w.map(everywhere))));
        for i in 0..4 {
            let expected: f64 = (0..3).map(|k| w[k] * d[i + k]).sum();
            assert!((out[i][0] - expected).abs() < 1e-14, "{i}: {} for {expected}", out[i][0]);
        }
        let out = weight_gradient::<Fallback, f64>(products(gradient::<Fallback, f64>(g.map(everywhere))));
        for k in 0..3 {
            let expected: f64 = (0..4).map(|i| g[i] * d[i + k]).sum();
            assert!((out[k][0] - expected).abs() < 1e-14, "{k}: {} for {expected}", out[k][0]);
        }
    }
}
