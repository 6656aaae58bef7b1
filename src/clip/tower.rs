//! One transformer's tensors and settings, and how they come onto a tape.

use super::{
    Activation, ClipError,
    assumed::{self, EPSILON},
    config::{Choices, Claim, Heads, Piece, Pool, Size},
    naming::{Naming, Side},
    parts::{Parts, Pooler, Projection},
    taken::{Taken, Tensors},
};
use crate::{
    tape::{Tape, Var},
    tensor_file::{Tensor, TensorFile},
};

/// The transformer of one side.
pub struct Tower {
    pub parts: Parts,
    pub layers: usize,
    pub heads: usize,
    /// `D`
    pub width: usize,
    pub activation: Activation,
    pub epsilon: f64,
    pub pool: Pool,
    /// Whether tokens see those before them alone.
    pub causal: bool,
    pub norm_after_pool: bool,
    /// What a class token behind a text does not look at.
    pub pad_id: usize,
    pub pooler_heads: usize,
    /// Side of the pictures, for an image tower.
    pub image_size: usize,
    pub tensors: Tensors,
}

impl Tower {
    /// Layers of which the file has some tensor, counted from 0 without a gap.
    pub fn count_layers(file: &TensorFile, naming: Naming, side: Side) -> usize {
        let start = naming.layers(side);
        let has = |layer: usize| {
            let start = format!("{start}{layer}.");
            let after = file.tensors.range(start.clone()..).next();
            after.is_some_and(|(name, _)| name.starts_with(&start))
        };
        (0..).take_while(|&layer| has(layer)).count()
    }

    /// Takes the tower's tensors, all of which are there, out of the file. `choices` is what JSON says, `activation`
    /// what to take where it is silent.
    pub fn take(
        file: &mut TensorFile,
        naming: Naming,
        side: Side,
        choices: &Choices,
        activation: Activation,
    ) -> Result<Tower, ClipError> {
        let layers = Tower::count_layers(file, naming, side);
        let parts = Parts::of(file, naming, side);
        let mut taken = Taken { file, naming, parts, tensors: Tensors::new() };
        for name in parts.names(layers) {
            taken.tensor(&name)?;
        }
        let width = taken.matrix("position")?[1];
        let heads = match choices.heads.unwrap_or(Heads::Count(assumed::heads(side, width))) {
            Heads::Count(heads) => heads,
            Heads::OfWidth(head_width) => width / head_width,
        };
        let divide = |heads: usize, width: usize, name: &str| match heads > 0 && width.is_multiple_of(heads) {
            true => Ok(()),
            false => {
                let expected = format!("heads that divide the width of {width}, found {heads} heads");
                Err(taken.wrong_shape(name, &expected))
            }
        };
        divide(heads, width, "position")?;
        let pooler_heads = match parts.pooler {
            Some(Pooler::Norms) => choices.pooler_heads.unwrap_or(8),
            _ => heads,
        };
        let siglip = naming.is_siglip();
        let pool = choices.pool.unwrap_or(match side {
            Side::Image => Pool::First,
            Side::Text if siglip => Pool::Last,
            Side::Text => Pool::Argmax,
        });
        if parts.pooler.is_some() {
            let [queries, wide] = taken.matrix("latent")?;
            divide(pooler_heads, wide, "latent")?;
            if pool == Pool::Average && queries < 2 {
                return Err(
                    taken.wrong_shape("latent", "two queries or more, all but the first for the mean")
                );
            }
        }
        taken.check(layers, width)?;
        let mut tower = Tower {
            parts,
            layers,
            heads,
            width,
            activation: choices.activation.unwrap_or(activation),
            epsilon: choices.epsilon.unwrap_or(if siglip { 1e-6 } else { EPSILON }),
            pool,
            causal: choices.causal.unwrap_or(side == Side::Text && !siglip),
            norm_after_pool: choices.norm_after_pool,
            pad_id: choices.pad_id,
            pooler_heads,
            image_size: 0,
            tensors: taken.tensors,
        };
        tower.fold_layer_scale();
        if side == Side::Image {
            tower.image_size = choices.image_size.unwrap_or(tower.grid() * tower.patch());
        }
        Ok(tower)
    }

    /// What a block adds is scaled per channel: the matrix and bias that make it take the factors in.
    fn fold_layer_scale(&mut self) {
        for layer in 0..self.layers {
            for (scale, part) in [("scale1", "out"), ("scale2", "fc2")] {
                let Some(factors) = self.tensors.remove(&format!("layers.{layer}.{scale}")) else { continue };
                for last in ["weight", "bias"] {
                    let tensor = self.tensors.get_mut(&format!("layers.{layer}.{part}.{last}"));
                    for row in tensor.expect("every block has it").data.chunks_mut(factors.data.len()) {
                        row.iter_mut().zip(&factors.data).for_each(|(value, factor)| *value *= factor);
                    }
                }
            }
        }
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// Width `E` of the space that pictures and words share.
    pub fn projection(&self) -> usize {
        match self.parts.projection {
            Projection::None => self.pooled(),
            Projection::Matrix => self.tensor("projection").shape[1],
            Projection::Linear => self.tensor("projection.weight").shape[1],
        }
    }

    /// Width of what the projection is given.
    pub fn pooled(&self) -> usize {
        self.tensor("norm_post.weight").data.len()
    }

    /// Tokens of a text, a class token behind it left out.
    pub fn context(&self) -> usize {
        self.tensor("position").shape[0] - usize::from(self.parts.class)
    }

    /// Side of a patch.
    pub fn patch(&self) -> usize {
        self.tensor("patch.weight").shape[2]
    }

    /// Patches in a row of the picture.
    pub fn grid(&self) -> usize {
        (self.tensor("position").shape[0] - usize::from(self.parts.class)).isqrt()
    }

    /// What a file's claim says of these tensors, or what they say instead.
    pub fn contradiction(&self, claim: &Claim) -> Option<String> {
        match claim {
            Claim::Size(size, said) => {
                let found = match size {
                    Size::Width => self.width,
                    Size::Layers => self.layers,
                    Size::Hidden => self.tensors.get("layers.0.fc1.bias").map_or(*said, |t| t.data.len()),
                    Size::Patch => self.patch(),
                    // Pixels beyond the last whole patch are not looked at.
                    Size::Image if said / self.patch() == self.grid() => *said,
                    Size::Image => self.grid() * self.patch(),
                    Size::Context => self.context(),
                    Size::Vocabulary => self.tensor("token").shape[0],
                    Size::Shared => self.projection(),
                    Size::Queries => self.tensors.get("latent").map_or(*said, |t| t.shape[0]),
                };
                let what = match size {
                    Size::Width => "the width",
                    Size::Layers => "the layers",
                    Size::Hidden => "the hidden width",
                    Size::Patch => "the patch size",
                    Size::Image => "the side of the pictures",
                    Size::Context => "the positions",
                    Size::Vocabulary => "the rows of the token embedding",
                    Size::Shared => "the width of the features",
                    Size::Queries => "the queries",
                };
                (found != *said).then(|| format!("{found}, {what}"))
            }
            Claim::Piece(piece, said) => {
                let found = match piece {
                    Piece::NormPre => self.parts.norm_pre,
                    Piece::LayerScale => self.parts.layer_scale,
                    Piece::Pooler => self.parts.pooler == Some(Pooler::Norms),
                    Piece::Projection => self.parts.projection != Projection::None,
                    Piece::ProjectionBias => self.parts.projection == Projection::Linear,
                    Piece::Class => self.parts.class,
                };
                (found != *said).then(|| if found { "one with it" } else { "one without" }.into())
            }
        }
    }
}

/// A tower's weights as inputs of a tape: constants, of which nobody asks a gradient.
pub struct Frozen<'w> {
    tensors: &'w Tensors,
    /// Every input and what to write to it before the first run.
    pub used: Vec<(Var, &'w [f32])>,
}

impl<'w> Frozen<'w> {
    pub fn new(tensors: &'w Tensors) -> Self {
        Frozen { tensors, used: vec![] }
    }

    /// The tensor as an input of this shape.
    pub fn input(&mut self, tape: &mut Tape, name: &str, shape: &[usize]) -> Var {
        let var = tape.input(shape);
        self.used.push((var, &self.tensors[name].data));
        var
    }

    /// The tower's matrix `(K,N)` as `(1,K,N)`.
    pub fn matrix(&mut self, tape: &mut Tape, name: &str) -> Var {
        let [inputs, outputs] = self.tensors[name].shape[..] else { panic!("a matrix") };
        self.input(tape, name, &[1, inputs, outputs])
    }

    /// `x (1,M,K) → (1,M,N)` with the tower's matrix `(K,N)`.
    pub fn matmul(&mut self, tape: &mut Tape, name: &str, x: Var) -> Var {
        let weight = self.matrix(tape, name);
        tape.matmul(x, weight)
    }

    /// The tower's vector `(D)`.
    pub fn vector(&mut self, tape: &mut Tape, name: &str) -> Var {
        let len = self.tensors[name].data.len();
        self.input(tape, name, &[len])
    }

    /// `x (1,M,K) → (1,M,N)` with the tower's matrix and bias of this name.
    pub fn linear(&mut self, tape: &mut Tape, name: &str, x: Var) -> Var {
        let y = self.matmul(tape, &format!("{name}.weight"), x);
        let bias = self.vector(tape, &format!("{name}.bias"));
        tape.add(y, bias)
    }
}
