//! The transforms of F(4×4, 3×3) along one axis, at the points 0, ±√½, ±√2 and ∞.
//!
//! A polynomial product is found from its values at six points (Winograd 1980; Lavin and Gray 2016). The usual points 0, ±1,
//! ±2, ∞ lose more than a digit; those here, each other's reciprocals, keep the transforms' entries close to one, and the
//! error at about twice that of a plain sum (compare Alam, Anderson and Gregg 2022).
//!
//! With Bᵀ for inputs, G for weights and Aᵀ for outputs, `conv = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ x B)]A`; the gradient by w is the
//! transpose in w, `Gᵀ[(A g Aᵀ) ⊙ (Bᵀ x B)]G`.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use crate::device::cpu::{lanes::multiply_add, real::Real};

/// `Bᵀd`
#[inline(always)]
pub fn input<R: Real, const FUSED: bool>(d: [R; 6]) -> [R; 6] {
    let fma = multiply_add::<R, FUSED>;
    let [half, two, sum] = [0.5, 2.0, 2.5].map(R::of);
    let (small, large) = (R::of(FRAC_1_SQRT_2), R::of(SQRT_2));
    let (even, odd) = (fma(-two, d[2], d[4]), fma(-two, d[1], d[3]));
    let (even_large, odd_large) = (fma(-half, d[2], d[4]), fma(-half, d[1], d[3]));
    [
        fma(-sum, d[2], d[0] + d[4]),
        fma(small, odd, even),
        fma(-small, odd, even),
        fma(large, odd_large, even_large),
        fma(-large, odd_large, even_large),
        fma(-sum, d[3], d[1] + d[5]),
    ]
}

/// `Gw`
#[inline(always)]
pub fn weight<R: Real, const FUSED: bool>(w: [R; 3]) -> [R; 6] {
    let fma = multiply_add::<R, FUSED>;
    let of = R::of;
    // 1/f, p/f and p²/f, where f is the product of a point's distances to the others: −3/2 and 6.
    let even = fma(of(-1.0 / 3.0), w[2], of(-2.0 / 3.0) * w[0]);
    let odd = of(-FRAC_1_SQRT_2 * 2.0 / 3.0) * w[1];
    let even_large = fma(of(1.0 / 3.0), w[2], of(1.0 / 6.0) * w[0]);
    let odd_large = of(SQRT_2 / 6.0) * w[1];
    [w[0], even + odd, even - odd, even_large + odd_large, even_large - odd_large, w[2]]
}

/// `Aᵀm`
#[inline(always)]
pub fn output<R: Real, const FUSED: bool>(m: [R; 6]) -> [R; 4] {
    let fma = multiply_add::<R, FUSED>;
    let of = R::of;
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let (even_large, odd_large) = (m[3] + m[4], m[3] - m[4]);
    [
        m[0] + (even + even_large),
        fma(of(SQRT_2), odd_large, of(FRAC_1_SQRT_2) * odd),
        fma(of(2.0), even_large, of(0.5) * even),
        fma(of(2.0 * SQRT_2), odd_large, fma(of(0.5 * FRAC_1_SQRT_2), odd, m[5])),
    ]
}

/// `Ag`
#[inline(always)]
pub fn gradient<R: Real, const FUSED: bool>(g: [R; 4]) -> [R; 6] {
    let fma = multiply_add::<R, FUSED>;
    let [half, two] = [0.5, 2.0].map(R::of);
    let (small, large) = (R::of(FRAC_1_SQRT_2), R::of(SQRT_2));
    let (even, odd) = (fma(half, g[2], g[0]), fma(half, g[3], g[1]));
    let (even_large, odd_large) = (fma(two, g[2], g[0]), fma(two, g[3], g[1]));
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
pub fn weight_gradient<R: Real, const FUSED: bool>(m: [R; 6]) -> [R; 3] {
    let fma = multiply_add::<R, FUSED>;
    let of = R::of;
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let (even_large, odd_large) = (m[3] + m[4], m[3] - m[4]);
    [
        fma(of(1.0 / 6.0), even_large, fma(of(-2.0 / 3.0), even, m[0])),
        fma(of(SQRT_2 / 6.0), odd_large, of(-FRAC_1_SQRT_2 * 2.0 / 3.0) * odd),
        fma(of(1.0 / 3.0), even_large, fma(of(-1.0 / 3.0), even, m[5])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Σ_k w[k]·d[i+k]` from the transforms, and its transpose in w.
    #[test]
    fn the_transforms_give_the_convolution_and_its_transpose() {
        let d = [0.3, -1.0, 0.7, 2.0, -0.4, 0.9];
        let w = [0.5, -0.25, 1.5];
        let g = [1.0, -0.5, 0.125, 0.75];
        let input = input::<f64, false>(d);
        let products = |a: [f64; 6]| std::array::from_fn(|i| a[i] * input[i]);
        let out = output::<f64, false>(products(weight::<f64, false>(w)));
        for i in 0..4 {
            let expected: f64 = (0..3).map(|k| w[k] * d[i + k]).sum();
            assert!((out[i] - expected).abs() < 1e-14, "{i}: {} for {expected}", out[i]);
        }
        let out = weight_gradient::<f64, false>(products(gradient::<f64, false>(g)));
        for k in 0..3 {
            let expected: f64 = (0..4).map(|i| g[i] * d[i + k]).sum();
            assert!((out[k] - expected).abs() < 1e-14, "{k}: {} for {expected}", out[k]);
        }
    }
}
