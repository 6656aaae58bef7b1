//! The last layer of a graph: labels and features are read from it, so its results must be linear in a picture's features.

use super::{
    Last,
    assemble::Assembly,
    extent::show,
    op::{Convolution, Op},
};

impl Assembly {
    /// The layer that the logits come from: a linear one, or a convolution that is linear in what it makes of a whole picture.
    pub(super) fn last(&self, output: usize) -> Result<Last, String> {
        let mut node = output;
        let mut averaged = false;
        loop {
            let before = self.input(node, 0);
            let per_class =
                [Some(node), before].iter().all(|at| at.is_some_and(|at| self.per_class(at, output)));
            // One number a class, of an average over all positions.
            let whole = per_class && !averaged && self.numbers(node) == self.numbers(output);
            let same = before.is_some_and(|before| self.numbers(before) == self.numbers(node));
            node = match self.op(node) {
                Op::Linear if !averaged => return self.last_of(node),
                Op::Conv2d(form) if self.per_class(node, output) => {
                    self.linear_convolution(node, form, averaged)?;
                    return self.last_of(node);
                }
                Op::Reshape(_) | Op::Slice { .. } if per_class && same => before,
                Op::Mean { .. } | Op::AdaptiveAveragePool(_) if whole => {
                    averaged = true;
                    before
                }
                Op::AveragePool { window, .. } if whole && window.padding == [0; 2] => {
                    averaged = true;
                    before
                }
                Op::Reshape(_) | Op::Slice { .. } | Op::Mean { .. } if self.shape(node) == self.shape(output) => {
                    before
                }
                Op::Softmax { .. } => {
                    return Err(
                        "it ends in a softmax: export the network without it, so that it gives logits".into(),
                    );
                }
                Op::Pointwise(function) if per_class => {
                    return Err(format!(
                        "its logits are {} of its last layer's results, expected the results themselves, or averages of \
                         them: what is read from a last layer needs logits that are linear in its features",
                        format!("{function:?}").to_lowercase()
                    ));
                }
                other => {
                    return Err(format!(
                        "it ends in '{}', expected a linear layer with a row a class, or a convolution with a channel a class \
                         that is one",
                        other.name()
                    ));
                }
            }
            .expect("has an operand");
        }
    }

    /// How many numbers a picture has.
    fn numbers(&self, node: usize) -> usize {
        self.shape(node).iter().skip(1).map(|n| n.count()).product()
    }

    /// Whether it is `(B,K,…)`.
    fn per_class(&self, node: usize, output: usize) -> bool {
        let shape = self.shape(node);
        shape.len() >= 2 && shape[..2] == self.shape(output)[..2]
    }

    /// Whether a convolution is a linear layer of a picture's features: of 1×1 whose results are `averaged`, as it then is of the
    /// averages, or with one result a class, of all that it is given.
    fn linear_convolution(&self, node: usize, form: &Convolution, averaged: bool) -> Result<(), String> {
        let sides = |at: Option<usize>| at.map_or([0; 2], |at| [2, 3].map(|d| self.shape(at)[d].count()));
        let (kernel, given) = (sides(self.input(node, 1)), sides(self.input(node, 0)));
        let plain =
            form.groups == 1 && form.padding == [0; 2] && (form.dilation == [1; 2] || kernel == [1; 2]);
        let everywhere = kernel == [1; 2] && form.stride == [1; 2] && averaged;
        if plain && (everywhere || kernel == given) {
            return Ok(());
        }
        let [[kh, kw], [h, w]] = [kernel, given];
        Err(format!(
            "it ends in a convolution of {kh}×{kw} over {h}×{w}, expected a linear layer with a row a class, or a convolution that \
             is one: of 1×1 before an average over all positions, or of the whole of what it is given, without padding or groups"
        ))
    }

    /// The layer at this node; its weight, and its bias if it has one, must be trained parameters.
    fn last_of(&self, node: usize) -> Result<Last, String> {
        let tensor = |operand| match self.input(node, operand).map(|input| self.op(input)) {
            Some(Op::Parameter(at)) if self.tensors[*at].trainable => Some(*at),
            _ => None,
        };
        let weight = tensor(1).ok_or("the weight of its last linear layer is no parameter of its own")?;
        if matches!(self.op(node), Op::Linear) && self.shape(node).len() != 2 {
            return Err(format!("its last linear layer gives {}, expected (B, K)", show(self.shape(node))));
        }
        let bias = tensor(2);
        match (bias, self.input(node, 2)) {
            (None, Some(_)) => Err("the bias of its last linear layer is no parameter of its own".into()),
            _ => Ok(Last { node, weight, bias }),
        }
    }
}
