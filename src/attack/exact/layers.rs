//! Which linear layers a victim has, what stands before and after each, and the last ones as a chain that the host
//! computes in f64.

use super::{error::ExactError, matrix::Matrix, spear::ReluLayer};
use crate::{
    federated::Victim,
    nn::{Mode, options::Activation},
    tape::{Tape, Var, op::Op},
};

/// A linear layer of a victim.
#[derive(Clone, Debug)]
pub struct Linear {
    /// As the victim's `state_dict` has it, without `.weight`.
    pub name: String,
    /// `[m, n]`
    pub shape: [usize; 2],
    /// Position of its weight among the gradient's tensors; the bias, if there is one, comes next.
    pub weight: usize,
    /// Whether it has one.
    pub bias: bool,
    /// What its outputs go straight into.
    pub activation: Option<Activation>,
    /// Whether its input is the normalised picture, flattened.
    pub reads_picture: bool,
    /// Whether its input is the activated output of the linear layer before it.
    pub follows: bool,
}

/// All linear layers in the order of the forward pass; the last one makes the logits.
pub fn linear_layers(victim: &Victim) -> Vec<Linear> {
    let mut tape = Tape::new();
    let [c, h, w] = victim.image_shape();
    let x = tape.input(&[1, 1, c, h, w]);
    let pass = victim.model.apply(&mut tape, x, Mode::Eval);
    let specs = victim.gradient_specs();
    let position = |name: &str| specs.iter().position(|spec| spec.name == name);
    let mut before: Option<Var> = None;
    let mut layers = vec![];
    for layer in pass.linear {
        let bias = position(&format!("{}.bias", layer.name));
        let weight = position(&format!("{}.weight", layer.name));
        // A file's network may call and place them otherwise; such a layer is none of these.
        let Some(weight) = weight.filter(|weight| bias.is_none_or(|bias| bias == weight + 1)) else {
            continue;
        };
        let [rows, columns @ ..] = &specs[weight].shape[..] else { continue };
        let shape = [*rows, columns.iter().product()];
        layers.push(Linear {
            bias: bias.is_some(),
            activation: layer.activated.map(|(activation, _)| activation),
            reads_picture: source(&tape, layer.input) == x,
            follows: before == Some(layer.input),
            name: layer.name,
            shape,
            weight,
        });
        before = layer.activated.map(|(_, y)| y);
    }
    layers
}

/// What a variable is a reshaped view of.
fn source(tape: &Tape, mut var: Var) -> Var {
    while let Op::Reshape = tape.node(var).op {
        var = tape.node(var).inputs[0];
    }
    var
}

/// Where SPEAR begins: the first linear layer that ReLU follows, of this name if one is given.
///
/// # Errors
/// There is none, or the named one is no such layer.
pub fn relu_layer(victim: &Victim, name: Option<&str>) -> Result<usize, ExactError> {
    let layers = linear_layers(victim);
    let architecture = victim.model.describe();
    let Some(name) = name else {
        let first = layers.iter().position(|layer| layer.activation == Some(Activation::Relu));
        return first.ok_or(ExactError::NoLayer { architecture });
    };
    let names = || layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = layers.iter().position(|layer| layer.name == name);
    let found = found.ok_or_else(|| ExactError::NoSuchLayer(name.into(), names()))?;
    match layers[found].activation {
        Some(Activation::Relu) => Ok(found),
        other => Err(ExactError::NoRelu {
            layer: name.into(),
            found: other.map_or("nothing".into(), |activation| activation.to_string()),
        }),
    }
}

/// A layer with its values.
#[derive(Clone, Copy, Debug)]
pub struct Valued<'a> {
    /// What of it does not depend on its values.
    pub layer: &'a Linear,
    /// `(m, n)`
    pub weight: &'a [f32],
    /// `(m)`
    pub bias: Option<&'a [f32]>,
    /// ∂L/∂W `(m, n)`
    pub weight_gradient: &'a [f32],
    /// ∂L/∂b `(m)`
    pub bias_gradient: Option<&'a [f32]>,
}

impl<'a> Valued<'a> {
    /// `gradient`: one tensor a trainable parameter.
    pub fn new(victim: &'a Victim, layer: &'a Linear, gradient: &'a [Vec<f32>]) -> Valued<'a> {
        let trainable: Vec<&Vec<f32>> = victim
            .declarations
            .iter()
            .zip(&victim.tensors)
            .filter(|(d, _)| d.trainable)
            .map(|(_, t)| t)
            .collect();
        let bias = layer.bias.then_some(layer.weight + 1);
        Valued {
            layer,
            weight: trainable[layer.weight],
            bias: bias.map(|at| &trainable[at][..]),
            weight_gradient: &gradient[layer.weight],
            bias_gradient: bias.map(|at| &gradient[at][..]),
        }
    }

    /// As SPEAR takes it.
    pub fn relu(&self) -> ReluLayer<'a, f32> {
        ReluLayer {
            name: &self.layer.name,
            shape: self.layer.shape,
            weight: self.weight,
            bias: self.bias,
            weight_gradient: self.weight_gradient,
            bias_gradient: self.bias_gradient,
        }
    }
}

/// Whether these layers follow each other with ReLU between them.
pub fn chained(layers: &[Linear]) -> bool {
    let relu = |layer: &Linear| layer.activation == Some(Activation::Relu);
    layers[1..].iter().all(|layer| layer.follows) && layers[..layers.len() - 1].iter().all(relu)
}

/// Linear layers with ReLU between them, from one of them to the logits.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// From the first to the one that gives the logits.
    pub layers: Vec<Valued<'a>>,
}

impl<'a> Head<'a> {
    /// From the layer at this position on; `None` where the layers do not follow each other.
    pub fn from(
        victim: &'a Victim,
        layers: &'a [Linear],
        first: usize,
        gradient: &'a [Vec<f32>],
    ) -> Option<Head<'a>> {
        let chain = &layers[first..];
        let valued = chain.iter().map(|layer| Valued::new(victim, layer, gradient));
        chained(chain).then(|| Head { layers: valued.collect() })
    }

    /// What each layer is given for inputs `(r, n)` of the first, and at last the logits `(r, K)`.
    pub fn forward(&self, inputs: &Matrix) -> Vec<Matrix> {
        let mut all = vec![inputs.clone()];
        for (at, layer) in self.layers.iter().enumerate() {
            let [m, _] = layer.layer.shape;
            let given = all[at].transposed();
            let mut z = super::matrix::product(layer.weight, layer.layer.shape, &given).transposed();
            for row in z.values.chunks_mut(m) {
                row.iter_mut().zip(layer.bias.unwrap_or_default()).for_each(|(z, &b)| *z += f64::from(b));
            }
            if at + 1 < self.layers.len() {
                z.values.iter_mut().for_each(|z| *z = z.max(0.0));
            }
            all.push(z);
        }
        all
    }
}
