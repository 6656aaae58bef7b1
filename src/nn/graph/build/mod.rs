//! From a graph to the tape. Every value is there with the trials in front: a result `(B,…)` is `(T,B,…)`.

mod contract;
mod pointwise;
mod shape;

use std::sync::Arc;

use super::{
    Graph, Node,
    extent::{BATCH, Extent},
    op::{Op, Pointwise, Window},
};
use crate::{
    nn::{
        Architecture, Init, LastLayer, LinearLayer, Network, PatchEmbedding,
        attention::{attention_of_scale, causal_mask},
        norm::BatchNorm,
        options::Activation,
    },
    tape::{Var, spec::WindowSpec},
};

/// A network from a file, as an architecture.
pub struct GraphNetwork(pub Arc<Graph>);

impl Architecture for GraphNetwork {
    fn forward(&self, net: &mut Network, x: Var, _: usize) -> Var {
        let graph = &*self.0;
        let tensors: Vec<Var> = graph
            .tensors
            .iter()
            .map(|t| match t.trainable {
                // Its values are the file's: nothing is drawn.
                true => net.parameter(&t.name, &t.shape, Init::Constant(0.0)),
                false => net.buffer(&t.name, &t.shape, Init::Constant(0.0)),
            })
            .collect();
        let batch = net.tape.shape(x)[1];
        let mut values: Vec<Var> = Vec::with_capacity(graph.nodes.len());
        for (i, node) in graph.nodes.iter().enumerate() {
            let inputs: Vec<Option<Var>> =
                node.inputs.iter().map(|input| input.map(|at| values[at])).collect();
            let value = match &node.op {
                Op::Picture => x,
                Op::Parameter(at) => tensors[*at],
                _ => Builder { net, batch }.apply(node, &inputs),
            };
            values.push(value);
            graph.record(net, i, &values);
        }
        if let Op::Conv2d(_) = graph.nodes[graph.last.node].op {
            let layer = graph.convolution_as_linear(net, &values);
            net.linear.push(layer);
        }
        // The last layer is the last of the list, in whatever order the graph has them.
        let logits = values[graph.last.node];
        if let Some(last) = net.linear.iter().position(|layer| layer.output == logits) {
            let last = net.linear.remove(last);
            net.linear.push(last);
        }
        // In the order of the buffers, which may be declared in another order than they are used.
        let place = |mean: Var| tensors.iter().position(|&tensor| tensor == mean);
        net.statistics.sort_by_key(|s| place(s.running_mean));
        values[graph.output]
    }

    fn default_image(&self) -> [usize; 3] {
        self.0.image
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    fn patch_embedding(&self) -> Option<PatchEmbedding> {
        self.0.patch_embedding()
    }

    fn last_layer(&self) -> Option<LastLayer> {
        let name = |at: usize| self.0.tensors[at].name.clone();
        Some(LastLayer { weight: name(self.0.last.weight), bias: self.0.last.bias.map(name) })
    }
}

impl Graph {
    /// The last convolution as what it is, a linear layer: of averages over positions if its kernel has one, else of all numbers.
    fn convolution_as_linear(&self, net: &mut Network, values: &[Var]) -> LinearLayer {
        let weight = &self.tensors[self.last.weight];
        let input = values[self.nodes[self.last.node].inputs[0].expect("has an operand")];
        let [trials, batch] = [0, 1].map(|axis| net.tape.shape(input)[axis]);
        let features = if weight.shape[2..] == [1, 1] { net.tape.mean(input, &[3, 4]) } else { input };
        let width = weight.shape[1..].iter().product();
        let input = net.tape.reshape(features, &[trials, batch, width]);
        let name = weight.name.strip_suffix(".weight").unwrap_or(&weight.name).to_string();
        LinearLayer { name, input, output: values[self.output], activated: None }
    }

    /// Linear layers of pictures, and what they go straight into, as the registry's networks keep them.
    fn record(&self, net: &mut Network, at: usize, values: &[Var]) {
        let node = &self.nodes[at];
        let operand = |i: usize| node.inputs.get(i).copied().flatten();
        match (&node.op, &node.shape[..]) {
            (Op::Linear, [BATCH, _]) => {
                let (Some(input), Some(weight)) = (operand(0), operand(1)) else { return };
                let Op::Parameter(weight) = self.nodes[weight].op else { return };
                let name = &self.tensors[weight].name;
                let name = name.strip_suffix(".weight").unwrap_or(name).to_string();
                let (input, output) = (values[input], values[at]);
                net.linear.push(LinearLayer { name, input, output, activated: None });
            }
            (Op::Pointwise(function), _) => {
                let activation = match function {
                    Pointwise::Relu => Activation::Relu,
                    Pointwise::Sigmoid => Activation::Sigmoid,
                    Pointwise::Tanh => Activation::Tanh,
                    Pointwise::Silu => Activation::Silu,
                    Pointwise::LeakyRelu { .. } => Activation::LeakyRelu,
                    _ => return,
                };
                let Some(input) = operand(0).map(|input| values[input]) else { return };
                if let Some(layer) = net.linear.iter_mut().find(|layer| layer.output == input) {
                    layer.activated = Some((activation, values[at]));
                }
            }
            _ => {}
        }
    }
}

struct Builder<'n, 't> {
    net: &'n mut Network<'t>,
    /// `B`
    batch: usize,
}

impl Builder<'_, '_> {
    /// The value of a node. Shapes were checked when the graph was assembled.
    fn apply(&mut self, node: &Node, inputs: &[Option<Var>]) -> Var {
        let given: Vec<Var> = inputs.iter().copied().flatten().collect();
        match &node.op {
            Op::Picture | Op::Parameter(_) => unreachable!("are there before"),
            Op::Constant(constant) => {
                let shape = [&[1], &constant.shape[..]].concat();
                let literal = self.net.tape.literal_of(&shape, constant.data.clone());
                let full = [&[self.net.trials], &constant.shape[..]].concat();
                self.net.tape.broadcast_to(literal, &full)
            }
            Op::Pointwise(function) => self.pointwise(*function, given[0]),
            Op::Pair(pair) => self.pair(*pair, [given[0], given[1]]),
            Op::Select => self.select([given[0], given[1], given[2]]),
            Op::Conv2d(sizes) => self.convolution(sizes, [given[0], given[1]], given.get(2).copied()),
            Op::Linear => self.linear([given[0], given[1]], given.get(2).copied()),
            Op::Matmul => self.matmul([given[0], given[1]], node),
            Op::BatchNorm { name, epsilon, momentum } => {
                let numbers = BatchNorm { epsilon: *epsilon, momentum: *momentum };
                self.batch_norm(name, numbers, inputs)
            }
            Op::LayerNorm { axes, epsilon } => self.layer_norm(*axes, *epsilon, inputs),
            Op::GroupNorm { groups, epsilon } => self.group_norm(*groups, *epsilon, inputs),
            Op::MaxPool(window) => {
                let spec = self.window(given[0], window);
                self.net.largest(given[0], spec)
            }
            Op::AveragePool { window, padded } => self.average_pool(given[0], window, *padded),
            Op::AdaptiveAveragePool([1, 1]) => self.net.tape.mean(given[0], &[3, 4]),
            Op::AdaptiveAveragePool(sides) => self.net.adaptive_average_pool(given[0], *sides),
            Op::Softmax { axis } => self.softmax(given[0], axis + 1),
            Op::LogSoftmax { axis } => self.log_softmax(given[0], axis + 1),
            Op::Largest { axes } => self.largest(given[0], &inside(axes)),
            Op::Attention { scale, causal } => self.attention(&given, *scale, *causal),
            Op::Mean { axes } => self.net.tape.mean(given[0], &inside(axes)),
            Op::Sum { axes } => self.net.tape.sum(given[0], &inside(axes)),
            Op::Reshape(_) => {
                let shape = self.sizes(&node.shape);
                self.net.tape.reshape(given[0], &shape)
            }
            Op::Permute(axes) => {
                let axes = [&[0], &inside(axes)[..]].concat();
                self.net.tape.permute(given[0], &axes)
            }
            Op::Expand(_) => {
                let x = self.with_rank(given[0], node.shape.len());
                let shape = self.sizes(&node.shape);
                self.net.tape.broadcast_to(x, &shape)
            }
            Op::Slice { axis, start, len } => self.net.tape.narrow(given[0], axis + 1, *start, *len),
            Op::Concat { axis } => self.net.tape.concat(&given, axis + 1),
            Op::Take { axis, positions } => self.take(given[0], axis + 1, positions),
            Op::Pad { before, after, value } => self.pad(given[0], before, after, *value),
            Op::Flip { axes } => self.net.tape.flip(given[0], &inside(axes)),
        }
    }

    /// A shape for this batch, trials first.
    fn sizes(&self, shape: &[Extent]) -> Vec<usize> {
        std::iter::once(self.net.trials).chain(shape.iter().map(|e| e.at(self.batch))).collect()
    }

    fn window(&self, x: Var, window: &Window) -> WindowSpec {
        let shape = self.net.tape.shape(x);
        let Window { kernel, stride, padding } = *window;
        WindowSpec { size: [shape[3], shape[4]], kernel, stride, padding }
    }

    fn average_pool(&mut self, x: Var, window: &Window, padded: bool) -> Var {
        let spec = self.window(x, window);
        let sum = self.net.tape.window_sum(x, spec);
        let count = spec.kernel[0] * spec.kernel[1];
        if padded || spec.padding == [0; 2] {
            return self.net.tape.mul_scalar(sum, 1.0 / count as f64);
        }
        // How many pixels each window sees: a product of rows and columns.
        let seen = |d: usize| {
            (0..spec.output_size()[d]).map(move |i| {
                let from = (i * spec.stride[d]) as isize - spec.padding[d] as isize;
                let to = (from + spec.kernel[d] as isize).min(spec.size[d] as isize);
                (to - from.max(0)) as f64
            })
        };
        let shares = seen(0).flat_map(|rows| seen(1).map(move |columns| 1.0 / (rows * columns))).collect();
        let [oh, ow] = spec.output_size();
        let shares = self.net.tape.literal(&[1, 1, 1, oh, ow], shares);
        self.net.tape.mul(sum, shares)
    }

    /// `q, k, v, [mask]`, each with one trial axis and any others in front of its two.
    fn attention(&mut self, given: &[Var], scale: f64, causal: bool) -> Var {
        let shape = self.net.tape.shape(given[0]).to_vec();
        let flat = [0, 1, 2].map(|i| self.rows(given[i]));
        let s = self.net.tape.shape(flat[1])[1];
        let mut mask = given.get(3).map(|&mask| {
            let outer = [&shape[..shape.len() - 1], &[s]].concat();
            let mask = self.with_rank(mask, shape.len() - 1);
            let mask = self.net.tape.broadcast_to(mask, &outer);
            self.rows(mask)
        });
        if causal {
            let hidden = causal_mask(self.net.tape, self.net.tape.shape(flat[0])[1]);
            mask = Some(mask.map_or(hidden, |mask| self.net.tape.add(mask, hidden)));
        }
        let width = *self.net.tape.shape(flat[2]).last().expect("three axes");
        let result = attention_of_scale(self.net.tape, flat, scale, mask);
        self.net.tape.reshape(result, &[&shape[..shape.len() - 1], &[width]].concat())
    }

    /// `(…,M,N) → (R,M,N)`
    fn rows(&mut self, x: Var) -> Var {
        let shape = self.net.tape.shape(x);
        let (outer, inner) = shape.split_at(shape.len() - 2);
        let flat = [outer.iter().product(), inner[0], inner[1]];
        self.net.tape.reshape(x, &flat)
    }
}

/// Axes behind the trials.
fn inside(axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|axis| axis + 1).collect()
}
