//! Vectors of numbers, as wide as the instruction set has them.
//!
//! A loop is written once, over [`V`], and compiled for every instruction set ([`vectorized`]). Vectors come from
//! `fearless_simd`, whose levels are just those that are wanted (AVX-512, AVX2 with FMA, SSE2, NEON, scalar code), on stable Rust
//! and without dependencies; `pulp` and `macerator` begin at SSE4.2. Nothing here is left to auto-vectorisation.

pub(crate) mod elementary;
mod isa;
mod real;
pub(crate) mod shuffle;

use fearless_simd::{Simd, SimdBase};

pub(crate) use isa::Token;
pub use isa::{Isa, IsaError};
pub(crate) use real::Real;

/// A vector of the width that `S` has.
pub(crate) type V<S, R> = <R as Real>::Vector<S>;

/// Numbers of the longest vector.
pub(crate) const LONGEST: usize = 16;

/// Numbers of a vector.
#[inline(always)]
pub(crate) const fn len<S: Simd, R: Real>() -> usize {
    <V<S, R> as SimdBase<S>>::LEN
}

/// Vector registers.
#[inline(always)]
pub(crate) const fn registers<S: Simd, R: Real>() -> usize {
    if len::<S, R>() * size_of::<R>() == 64 || cfg!(target_arch = "aarch64") { 32 } else { 16 }
}

#[inline(always)]
pub(crate) fn splat<S: Simd, R: Real>(simd: S, value: R) -> V<S, R> {
    V::<S, R>::splat(simd, value)
}

/// The vector from `at` on.
///
/// # Safety
/// So many numbers lie there.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd, R: Real>(simd: S, at: *const R) -> V<S, R> {
    // SAFETY: the caller's promise; an array is aligned as its elements are.
    unsafe { V::<S, R>::load_array_ref(simd, &*at.cast()) }
}

/// Writes the vector from `at` on.
///
/// # Safety
/// So many numbers may be written there.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, R: Real>(value: V<S, R>, at: *mut R) {
    // SAFETY: the caller's promise.
    unsafe { value.store_array(&mut *at.cast()) }
}

/// The vector of these numbers.
#[inline(always)]
pub(crate) fn made_of<S: Simd, R: Real>(simd: S, number: impl Fn(usize) -> R) -> V<S, R> {
    let mut numbers = [R::zero(); LONGEST];
    for (i, to) in numbers.iter_mut().enumerate().take(len::<S, R>()) {
        *to = number(i);
    }
    first(simd, &numbers)
}

/// The vector that the slice begins with.
#[inline(always)]
pub(crate) fn first<S: Simd, R: Real>(simd: S, from: &[R]) -> V<S, R> {
    let from = &from[..len::<S, R>()];
    // SAFETY: they lie in the slice.
    unsafe { load(simd, from.as_ptr()) }
}

/// Writes the vector to the beginning of the slice.
#[inline(always)]
pub(crate) fn put<S: Simd, R: Real>(value: V<S, R>, to: &mut [R]) {
    let to = &mut to[..len::<S, R>()];
    // SAFETY: they lie in the slice.
    unsafe { store::<S, R>(value, to.as_mut_ptr()) }
}

/// Functions that are compiled for every instruction set: each calls `$inner(simd, …)`, a generic function that is inlined,
/// from a function of that instruction set's name, which tests find in the machine code.
macro_rules! vectorized {
    ($(
        $(#[$meta:meta])*
        $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $inner:path;
    )*) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<R: $crate::device::cpu::vectors::Real>(
            isa: $crate::device::cpu::vectors::Isa, $($arg: $type),*
        ) $(-> $out)? {
            use $crate::device::cpu::vectors::{Real, Token};

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "fxsr,adx,aes,avx512bitalg,avx512bw,avx512cd,avx512dq,avx512f,avx512ifma,avx512vbmi,\
                avx512vbmi2,avx512vl,avx512vnni,avx512vpopcntdq,bmi1,bmi2,cmpxchg16b,fma,gfni,lzcnt,movbe,pclmulqdq,popcnt,\
                rdrand,rdseed,sha,vaes,vpclmulqdq,xsave,xsavec,xsaveopt,xsaves")]
            #[inline(never)]
            fn avx512<R: Real>(simd: fearless_simd::Avx512, $($arg: $type),*) $(-> $out)? {
                $inner(simd, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "fxsr,avx2,bmi1,bmi2,cmpxchg16b,f16c,fma,lzcnt,movbe,popcnt,xsave")]
            #[inline(never)]
            fn avx2<R: Real>(simd: fearless_simd::Avx2, $($arg: $type),*) $(-> $out)? {
                $inner(simd, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[inline(never)]
            fn sse2<R: Real>(simd: fearless_simd::Sse2, $($arg: $type),*) $(-> $out)? {
                $inner(simd, $($arg),*)
            }
            #[cfg(target_arch = "aarch64")]
            #[inline(never)]
            fn neon<R: Real>(simd: fearless_simd::Neon, $($arg: $type),*) $(-> $out)? {
                $inner(simd, $($arg),*)
            }
            #[inline(never)]
            fn scalar<R: Real>(simd: fearless_simd::Fallback, $($arg: $type),*) $(-> $out)? {
                $inner(simd, $($arg),*)
            }
            match isa.0 {
                // SAFETY: the token proves that the processor has these instructions.
                #[cfg(target_arch = "x86_64")]
                Token::Avx512(simd) => unsafe { avx512(simd, $($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Token::Avx2(simd) => unsafe { avx2(simd, $($arg),*) },
                #[cfg(target_arch = "x86_64")]
                Token::Sse2(simd) => sse2(simd, $($arg),*),
                #[cfg(target_arch = "aarch64")]
                Token::Neon(simd) => neon(simd, $($arg),*),
                Token::Scalar(simd) => scalar(simd, $($arg),*),
            }
        }
    )*};
}

pub(crate) use vectorized;
