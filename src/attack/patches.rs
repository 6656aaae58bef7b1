//! The picture of a vision transformer's gradient, exactly, for one picture (the idea of APRIL, Lu 2022, in a form that
//! holds for networks that normalise first and have residuals, as torchvision's and timm's).
//!
//! A learned position embedding is added right after the patches, so its gradient is the derivative by every token:
//! δ_t = `∂L/∂E[t]`. The patch projection's is ∂L/∂W = Σ_t δ_t·p_tᵀ = Δᵀ·P, with Δ (T,D) and the patches P (T,C·p·p).
//! Hence P = (Δᵀ)⁺·∂L/∂W, which gives all of P where Δ has full rank: T < D, for what passes a layer norm has one direction
//! less than it is wide.

use faer::Mat;

use crate::{federated::Victim, nn::PatchEmbedding};

/// Singular values below this share of the largest are rounding of an f32 gradient.
const SMALLEST: f64 = 1e-7;

/// Why the picture cannot be computed from its patches.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The victim is no vision transformer of the kind that this needs.
    #[error("the victim has no learned position embedding right after its patches")]
    NoEmbedding,
    /// The user asked for guidance or gave a defence.
    #[error("guidance and defences change what patches are found from")]
    Changed,
    /// The client does not send the gradient of one step; the text says why that is needed.
    #[error("{0}")]
    Protocol(String),
    /// The batch has several pictures: so many.
    #[error("a batch of {0}: the gradients of several pictures are added up, expected one picture")]
    Batch(usize),
    /// The derivatives cannot have full rank.
    #[error("{tokens} patches of width {width}: expected no more patches than the width")]
    TooMany {
        /// Patches of the picture.
        tokens: usize,
        /// D, the length of a token.
        width: usize,
    },
    /// The update leaves out this tensor, or its derivative vanished.
    #[error("the gradient of '{0}' is 0: it tells nothing of the patches")]
    Zero(String),
    /// The decomposition did not converge.
    #[error("the derivatives by the {tokens} patches have no singular value decomposition")]
    NotConverged {
        /// Patches of the picture.
        tokens: usize,
    },
}

impl PatchError {
    /// Whether the caller asked for what cannot be.
    pub fn is_misuse(&self) -> bool {
        !matches!(self, PatchError::Zero(_) | PatchError::NotConverged { .. })
    }
}

/// Whether a batch's picture can be found so.
///
/// # Errors
/// Several pictures, or a victim without such an embedding, or with more patches than it is wide.
pub fn check(victim: &Victim, batch: usize) -> Result<(), PatchError> {
    let embedding = victim.model.patch_embedding().ok_or(PatchError::NoEmbedding)?;
    let [_, h, w] = victim.image_shape();
    let tokens = (h / embedding.patch[0]) * (w / embedding.patch[1]);
    let specs = victim.gradient_specs();
    let width = specs.iter().find(|s| s.name == embedding.weight).map_or(0, |s| s.shape[0]);
    match (batch, tokens > width) {
        (1, false) => Ok(()),
        (1, true) => Err(PatchError::TooMany { tokens, width }),
        (batch, _) => Err(PatchError::Batch(batch)),
    }
}

/// A picture from its patches.
#[derive(Clone, Debug)]
pub struct Patches {
    /// Normalised, `(C,H,W)`.
    pub picture: Vec<f32>,
    /// Patches, and of the derivatives by them the rank: all patches are exact where they are equal.
    pub tokens: usize,
    /// Rank of the derivatives; below `tokens`, patches are mixed.
    pub rank: usize,
    /// The largest of the derivatives' singular values over the smallest that counts: how much rounding grows.
    pub condition: f64,
}

/// The picture that a batch of one was, from its gradient: one tensor a trainable parameter.
///
/// # Errors
/// Several pictures, a victim without such an embedding, and a gradient that tells nothing.
pub fn picture(victim: &Victim, gradient: &[Vec<f32>], batch: usize) -> Result<Patches, PatchError> {
    check(victim, batch)?;
    let embedding = victim.model.patch_embedding().ok_or(PatchError::NoEmbedding)?;
    let specs = victim.gradient_specs();
    let place = |name: &str| specs.iter().position(|s| s.name == name).ok_or(PatchError::NoEmbedding);
    let (weight, positions) = (place(&embedding.weight)?, place(&embedding.positions)?);
    let PatchEmbedding { first, patch: [ph, pw], .. } = embedding;
    let [c, h, w] = victim.image_shape();
    let (rows, columns) = (h / ph, w / pw);
    let (tokens, width, pixels) = (rows * columns, specs[weight].shape[0], c * ph * pw);
    let of_tokens = &gradient[positions][first * width..];
    let delta = Mat::from_fn(tokens, width, |t, d| f64::from(of_tokens[t * width + d]));
    let of_weight = Mat::from_fn(width, pixels, |d, i| f64::from(gradient[weight][d * pixels + i]));

    // Δ = U·S·Vᵀ, so (Δᵀ)⁺ = U·S⁻¹·Vᵀ.
    let svd = delta.thin_svd().map_err(|_| PatchError::NotConverged { tokens })?;
    let singular: Vec<f64> = svd.S().column_vector().iter().copied().collect();
    let largest = singular.first().copied().unwrap_or(0.0);
    if largest.is_nan() || largest <= 0.0 {
        return Err(PatchError::Zero(embedding.positions));
    }
    let rank = singular.iter().filter(|&&s| s > SMALLEST * largest).count();
    let turned = svd.V().transpose() * &of_weight;
    let scaled =
        Mat::from_fn(tokens, pixels, |k, i| if k < rank { turned[(k, i)] / singular[k] } else { 0.0 });
    let patches = svd.U() * scaled;

    let mut picture = vec![0.0; c * h * w];
    for (t, i) in (0..tokens).flat_map(|t| (0..pixels).map(move |i| (t, i))) {
        let (channel, y, x) = (i / (ph * pw), t / columns * ph + i / pw % ph, t % columns * pw + i % pw);
        picture[(channel * h + y) * w + x] = patches[(t, i)] as f32;
    }
    Ok(Patches { picture, tokens, rank, condition: largest / singular[rank - 1] })
}
