//! Gradients by x as convolutions with weights that were turned round once.
//!
//! The gradient by x of a convolution of stride 1 is a convolution of g whose weights change channels for outputs and
//! run backwards. Where weights are most of what the kernel reads, it is bound by the order in which they lie. A victim's
//! weights stay the same during an attack: turned in the prologue, they are read in order in every iteration, for as much
//! memory again. Weights that change are left as they are.

use std::collections::HashMap;

use super::{prologue::constant, simplify::Simplified};
use crate::tape::{Tape, Var, op::Op, spec::ConvSpec};

/// Weights for a position of the output, at least: below it, they are read from a cache that they do not leave.
const WEIGHTS: usize = 4096;

/// Replaces gradients by x whose weights do not depend on `changing`, inputs of the tape before it was simplified.
pub(crate) fn turn(simple: Simplified, changing: &[Var]) -> Simplified {
    let Simplified { tape, renamed } = simple;
    let constant = constant(&tape, &changing.iter().map(|v| renamed[v]).collect());
    let mut turned = Turned { tape: Tape::new(), known: HashMap::new() };
    let mut names: Vec<Var> = Vec::with_capacity(tape.nodes().len());
    for node in tape.nodes() {
        let inputs: Vec<Var> = node.inputs.iter().map(|v| names[v.index()]).collect();
        let spec = match node.op {
            Op::Conv2dGradInput(spec) if constant[node.inputs[1].index()] && is_bound_by_weights(&spec) => {
                spec.turned()
            }
            _ => None,
        };
        let name = match spec {
            Some(spec) => {
                let weights = turned.weights(inputs[1]);
                turned.tape.conv2d(inputs[0], weights, spec)
            }
            None => turned.tape.push(node.op.clone(), inputs, node.shape.clone()),
        };
        names.push(name);
    }
    let renamed = renamed.into_iter().map(|(old, new)| (old, names[new.index()])).collect();
    Simplified { tape: turned.tape, renamed }
}

fn is_bound_by_weights(spec: &ConvSpec) -> bool {
    let [height, width] = spec.output_size();
    let positions = spec.batch * height * width;
    positions > 0 && spec.weight_len() >= WEIGHTS * positions
}

struct Turned {
    tape: Tape,
    /// Turned weights of each tensor of weights.
    known: HashMap<Var, Var>,
}

impl Turned {
    /// Weights `(T,O,C,kh,kw)` as `(T,C,O,kh,kw)`, backwards; turned once for all trials that share them.
    fn weights(&mut self, w: Var) -> Var {
        if let Some(&known) = self.known.get(&w) {
            return known;
        }
        let node = self.tape.node(w).clone();
        let turned = match node.op {
            Op::Broadcast if self.tape.shape(node.inputs[0])[1..] == node.shape[1..] => {
                let one = self.weights(node.inputs[0]);
                self.tape.broadcast_to(one, &[0, 2, 1, 3, 4].map(|axis| node.shape[axis]))
            }
            _ => {
                let exchanged = self.tape.permute(w, &[0, 2, 1, 3, 4]);
                self.tape.flip(exchanged, &[3, 4])
            }
        };
        self.known.insert(w, turned);
        turned
    }
}
