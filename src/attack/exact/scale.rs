//! What a column of P leaves open: its length and its sign.
//!
//! D and X are known up to a factor a picture: D·diag(s) and X·diag(1/s) have the same product. The bias gradient is
//! g = D·1, which decides s; without one, the sign shows in which units a picture switches on, and the length does not.

use serde::Serialize;

use super::matrix::{Matrix, NotConverged, pseudo_inverse};

/// Where the lengths of the restored inputs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The gradient of the layer's bias: exact.
    Bias,
    /// Only the sign is known: the layer has no bias gradient.
    SignOnly,
}

/// s of least ‖D·s − g‖, one a column of D `(m, r)`.
pub fn from_bias(columns: &Matrix, bias_gradient: &[f64]) -> Result<Vec<f64>, NotConverged> {
    Ok(pseudo_inverse(columns)?.times_vector(bias_gradient))
}
