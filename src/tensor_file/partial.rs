//! Gradients of networks of which some layers are frozen: their tensors are left out, or 0.

use std::collections::BTreeSet;

use super::{Extra, ParameterSpec, Tensor, TensorFile, TensorFileError};

/// The tensors that were asked for, and which of them were sent.
pub struct Partial {
    /// 0 where nothing was sent.
    pub tensors: Vec<Tensor>,
    /// Of each tensor in turn: whether the file has it and it is not 0.
    pub sent: Vec<bool>,
}

impl Partial {
    /// A factor for each tensor: 0 for those that are not to be matched. `None` where all were sent.
    pub fn weights(&self) -> Option<Vec<f32>> {
        let weight = |&sent: &bool| f32::from(u8::from(sent));
        self.sent.contains(&false).then(|| self.sent.iter().map(weight).collect())
    }
}

impl TensorFile {
    /// As [`TensorFile::parameters`], but whole layers before the last may be missing, or 0 in every element: they are
    /// frozen.
    ///
    /// # Errors
    /// Also a layer of which a part is missing, or the last one: then the file is of another network.
    pub fn parameters_of_some_layers(
        &self,
        specs: &[ParameterSpec],
        extra: Extra,
    ) -> Result<Partial, TensorFileError> {
        let has = |spec: &ParameterSpec| {
            self.tensors.contains_key(&spec.name) || self.non_float.contains_key(&spec.name)
        };
        let there: BTreeSet<&str> = specs.iter().filter(|s| has(s)).map(|s| layer(&s.name)).collect();
        let frozen = |spec: &ParameterSpec| !there.contains(layer(&spec.name));
        if specs.last().is_none_or(frozen) {
            // Says what is missing.
            return Err(match self.parameters(specs, extra) {
                Err(error) => error,
                Ok(tensors) => return Ok(Partial { sent: vec![true; tensors.len()], tensors }),
            });
        }
        let asked: Vec<ParameterSpec> = specs.iter().filter(|s| !frozen(s)).cloned().collect();
        let mut found = self.parameters(&asked, extra)?.into_iter();
        let zeros = |spec: &ParameterSpec| Tensor {
            shape: spec.shape.clone(),
            data: vec![0.0; spec.shape.iter().product()],
        };
        let tensors: Vec<Tensor> = specs
            .iter()
            .map(|spec| if frozen(spec) { zeros(spec) } else { found.next().expect("one a spec") })
            .collect();
        let moves = |tensor: &Tensor| tensor.data.iter().any(|v| *v != 0.0);
        // Where nothing moves at all nothing is frozen: the gradient is 0.
        let any = tensors.iter().any(moves);
        let moving: BTreeSet<&str> =
            specs.iter().zip(&tensors).filter(|(_, t)| moves(t)).map(|(s, _)| layer(&s.name)).collect();
        let sent =
            specs.iter().map(|spec| !frozen(spec) && (!any || moving.contains(layer(&spec.name)))).collect();
        Ok(Partial { tensors, sent })
    }
}

/// `layer1.0.conv1.weight` → `layer1.0.conv1`
fn layer(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(layer, _)| layer)
}
