//! Directional checks, in f64 on the CPU device, of first and second derivatives of every operation and
//! composite.
//!
//! For a random weighting r of the outputs, φ(x) = ⟨r, f(x)⟩ and a random direction d: ∂φ·d must be the
//! central difference of φ along d, and ∂(∂φ·d')·d that of ∂φ·d'.

mod contractions;
mod pointwise;
mod support;
mod unknowns;
