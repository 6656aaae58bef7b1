//! What makes probabilities of cosines: the loss that a model was trained with.

use super::{ClipError, Naming, Sources, taken::scalar};
use crate::tensor_file::TensorFile;

/// CLIP's softmax over names (Radford 2021), or SigLIP's sigmoid of each name alone (Zhai 2023).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Factor of cosines.
    pub scale: f32,
    /// Added to the scaled cosines; with it, each name is judged alone.
    pub bias: Option<f32>,
}

impl Head {
    /// Takes scale and bias out of a file.
    pub fn take(file: &mut TensorFile, naming: Naming, sources: &Sources) -> Result<Head, ClipError> {
        const BIAS: &str = "logit_bias";
        let scale = scalar(file, "logit_scale")?.exp();
        let there = file.tensors.contains_key(BIAS) || file.non_float.contains_key(BIAS);
        // The bias of a CLIP by `transformers` is left over: no such model has one.
        if !there || naming == (Naming::HuggingFace { siglip: false }) {
            if let (Some((key, true)), Some(path)) = (&sources.bias, &sources.path) {
                let expected = format!("nothing: {} has no '{BIAS}'", file.path.display());
                let (path, key, found) = (path.clone(), key.clone(), "a bias of the logits".into());
                return Err(ClipError::Config { path, key, expected, found });
            }
            return Ok(Head { scale, bias: None });
        }
        if let (Some((key, false)), Some(path)) = (&sources.bias, &sources.path) {
            let expected = format!("a number: {} has '{BIAS}'", file.path.display());
            return Err(ClipError::Config {
                path: path.clone(),
                key: key.clone(),
                expected,
                found: "missing".into(),
            });
        }
        Ok(Head { scale, bias: Some(scalar(file, BIAS)?) })
    }

    /// `(N) → (N)`: softmax of scale × cosine, which sums to 1, or the sigmoid of scale × cosine + bias, which does not.
    pub fn probabilities(&self, cosine: &[f64]) -> Vec<f64> {
        let scale = f64::from(self.scale);
        match self.bias {
            Some(bias) => {
                cosine.iter().map(|c| 1.0 / (1.0 + (-(scale * c + f64::from(bias))).exp())).collect()
            }
            None => {
                let largest = cosine.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exp: Vec<f64> = cosine.iter().map(|c| (scale * (c - largest)).exp()).collect();
                let sum: f64 = exp.iter().sum();
                exp.iter().map(|e| e / sum).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn a_bias_makes_each_name_judged_alone() {
        let head = Head { scale: 10.0, bias: Some(-2.0) };
        let found = head.probabilities(&[0.2, 0.5]);
        assert!((found[0] - 0.5).abs() < 1e-12 && (found[1] - 1.0 / (1.0 + (-3f64).exp())).abs() < 1e-12);
        let softmax = Head { bias: None, ..head }.probabilities(&[0.2, 0.5]);
        assert!((softmax.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((softmax[1] / softmax[0] - 3f64.exp()).abs() < 1e-5);
    }
}
