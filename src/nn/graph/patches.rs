//! Where a graph turns a picture into tokens: a convolution whose windows do not overlap, and learned positions that are
//! added to its result, which was only moved in between.

use super::{Graph, op::Op};
use crate::nn::PatchEmbedding;

impl Graph {
    pub(super) fn patch_embedding(&self) -> Option<PatchEmbedding> {
        let sums = self.nodes.iter().filter(|node| matches!(node.op, Op::Pair(super::op::Pair::Add)));
        sums.filter_map(|node| {
            let [Some(a), Some(b)] = node.inputs[..] else { return None };
            self.embedding(a, b).or_else(|| self.embedding(b, a))
        })
        .next()
    }

    /// Of `tokens (B,L,D)` and `positions (1,L,D)`.
    fn embedding(&self, tokens: usize, positions: usize) -> Option<PatchEmbedding> {
        let Op::Parameter(at) = self.nodes[positions].op else { return None };
        let positions = &self.tensors[at];
        let [.., length, width] = positions.shape[..] else { return None };
        let all: usize = positions.shape.iter().product();
        let (mut node, mut first) = (&self.nodes[tokens], 0);
        if let Op::Concat { axis: 1 } = node.op {
            let (last, before) = node.inputs.split_last()?;
            for part in before {
                first += self.nodes[(*part)?].shape.get(1)?.fixed()?;
            }
            node = &self.nodes[(*last)?];
        }
        let Op::Permute(axes) = &node.op else { return None };
        let moved = &self.nodes[node.inputs[0]?];
        let (true, Op::Reshape(_)) = (axes[..] == [0, 2, 1], &moved.op) else { return None };
        let convolution = &self.nodes[moved.inputs[0]?];
        let Op::Conv2d(sizes) = convolution.op else { return None };
        let [picture, weight] = [convolution.inputs[0]?, convolution.inputs[1]?];
        let (Op::Picture, Op::Parameter(weight)) = (&self.nodes[picture].op, &self.nodes[weight].op) else {
            return None;
        };
        let weight = &self.tensors[*weight];
        let patch = [weight.shape[2], weight.shape[3]];
        let tokens = self.image[1] / patch[0] * (self.image[2] / patch[1]);
        let fits = sizes.stride == patch
            && sizes.padding == [0; 2]
            && sizes.dilation == [1; 2]
            && sizes.groups == 1
            && weight.shape[0] == width
            && all == length * width
            && length == first + tokens;
        fits.then(|| PatchEmbedding {
            weight: weight.name.clone(),
            positions: positions.name.clone(),
            first,
            patch,
        })
    }
}
