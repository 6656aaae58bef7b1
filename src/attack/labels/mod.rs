//! Labels from the gradient of the last linear layer.
//!
//! All methods rest on one identity. With the batch mean of the cross entropy over B samples, of which n_c
//! are of class c, and p_s the softmax of sample s:
//!
//! `∇b_c = (1/B)·(Σ_s p_s[c] − n_c)`, and ∇W_c is the same sum with each sample weighted by its features.

mod bias_corrected;
mod class_means;
mod counts_by_factor;
mod error;
mod exact;
mod features;
mod idlg;
mod ilrg;
mod layer;
mod lowest;
mod metrics;
mod predictions;
mod rounding;
mod sign;
mod sign_and_scale;
mod suspicion;
#[cfg(test)]
mod synthetic;
mod update;
mod warnings;
mod yin;

use serde::Serialize;

use crate::federated::MAX_BATCH;

pub use counts_by_factor::Reading;
pub use error::LabelError;
pub use exact::{ExactLabel, exact_label};
pub(crate) use features::only_feature;
pub use idlg::idlg;
pub use layer::LastLayer;
pub use metrics::LabelMetrics;
pub use predictions::softmax;
pub use rounding::{apportion, largest_remainder};
pub use sign_and_scale::{Doubt, SignAndScale, Verdict, sign_and_scale};
pub use suspicion::{Suspicion, check_gradient};
pub use update::from_update;

use crate::spelling::choices;

choices! {
    /// How labels are read from the last layer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Method {
        /// Counts from a linear system (Ma 2023); of one sample the label that its gradient fits, whatever its factor
        Ilrg = "ilrg",
        /// The row of the weight's gradient with the lowest sum (Zhao 2020); for a batch of 1
        Idlg = "idlg",
        /// The classes whose bias gradient is negative
        Sign = "sign",
        /// The rows of the weight's gradient with the lowest minima (Yin 2021); no label twice
        Yin = "yin",
        /// The classes whose bias gradient is negative, then by how much of it is left
        BiasCorrected = "bias-corrected",
        /// The label whose p − e_y the bias gradient is a multiple of, whatever the activation and the scale; one picture
        Exact = "exact",
    }
}

impl Method {
    /// Those that take a batch of any size.
    pub const ANY_BATCH: [Method; 5] =
        [Method::Ilrg, Method::Idlg, Method::Sign, Method::Yin, Method::BiasCorrected];

    /// Whether the method reads W and b beside their gradients.
    pub fn needs_weights(self) -> bool {
        matches!(self, Method::Ilrg | Method::Exact)
    }
}

/// What a method made of a gradient.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Restored {
    /// Which method it was.
    pub method: Method,
    /// `(K)`: samples of each class, `B` together.
    pub counts: Vec<usize>,
    /// `(K)`: what `counts` were read from. iLRG: the solution before rounding. Bias-corrected: the counts
    /// if every class had one and the same prediction to subtract. Sign: −B·∇b, which no count is below.
    /// iDLG: Σ_j ∇W_cj. Yin: min_j ∇W_cj. Exact: p − ∇b/s, for the factor s that goes with the label.
    pub real: Vec<f64>,
    /// In [0, 1], of the methods that can tell; see [`ilrg`](Method::Ilrg).
    pub confidence: Option<f64>,
    /// Where the gradient or the batch is not what the method assumes.
    pub warnings: Vec<String>,
}

impl Restored {
    /// A class index for each sample, in the order of the classes.
    pub fn labels(&self) -> Vec<usize> {
        self.counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n)).collect()
    }

    /// In place of a result, where the method cannot be run: no counts, and the reason as a warning.
    pub fn not_run(method: Method, classes: usize, reason: &LabelError) -> Restored {
        let warnings = vec![format!("not run: {reason}")];
        Restored { method, counts: vec![0; classes], real: vec![0.0; classes], confidence: None, warnings }
    }
}

/// Restores the labels of a batch of `batch`.
///
/// Where an assumption of the method fails there still is an answer, and a warning with it. Where the gradient itself
/// says that it is clipped, or a sum, it is scaled back first.
///
/// # Errors
/// A tensor that the method needs is missing, or the gradient holds nothing to read.
pub fn restore(method: Method, layer: &LastLayer, batch: usize) -> Result<Restored, LabelError> {
    if batch == 0 {
        return Err(LabelError::EmptyBatch);
    }
    if batch > MAX_BATCH {
        return Err(LabelError::LargeBatch { limit: MAX_BATCH, found: batch });
    }
    if layer.is_zero() {
        return Err(LabelError::ZeroGradient);
    }
    let found = sign_and_scale(layer, batch);
    let rescaled = match &found.verdict {
        Verdict::Other(reading) if reading.factor > 0.0 => layer.divided_by(reading.factor),
        _ => [vec![], vec![]],
    };
    let layer = &match &rescaled {
        [weight, _] if weight.is_empty() => *layer,
        [weight, bias] => {
            let bias_gradient = layer.bias_gradient.is_some().then_some(&bias[..]);
            LastLayer { weight_gradient: weight, bias_gradient, ..*layer }
        }
    };
    let mut restored = match method {
        Method::Ilrg if batch == 1 => {
            exact::restore(layer, method).or_else(|_| ilrg::restore(layer, batch))?
        }
        Method::Ilrg => ilrg::restore(layer, batch)?,
        Method::Idlg => idlg::restore(layer, batch),
        Method::Sign => sign::restore(layer, batch)?,
        Method::Yin => yin::restore(layer, batch),
        Method::BiasCorrected => bias_corrected::restore(layer, batch)?,
        Method::Exact if batch != 1 => return Err(LabelError::OnePicture { method, batch }),
        Method::Exact => exact::restore(layer, method)?,
    };
    restored.warnings.extend(warnings::general(method, layer, batch, &found));
    Ok(restored)
}
