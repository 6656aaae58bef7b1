//! A graph under construction: what importers call, node by node. Every error is without file and place, which the
//! importer knows.

use std::collections::HashSet;

use super::{
    Graph, Node, Tensor,
    constants::HIDDEN,
    extent::{self, BATCH, Extent, show},
    op::{Constant, Op},
    shapes::{Operands, infer},
};

/// Most nodes of a graph, and most elements of one result for one picture: beyond them is a mistake, or malice.
const MOST_NODES: usize = 100_000;
const MOST_ELEMENTS: usize = 1 << 28;
/// Most elements of a constant, which a tape holds as it is.
const MOST_CONSTANT: usize = 1 << 22;

/// What is said where a network has noise.
pub(crate) const NOISE: &str = "dropout and stochastic depth are left out (the identity), in train mode too: \
                                their masks are neither in the file nor in the update";

/// Refuses a constant of so many numbers before it is made.
pub(crate) fn bounded(numbers: usize) -> Result<(), String> {
    match numbers {
        0..=MOST_CONSTANT => Ok(()),
        _ => Err(format!("a constant of {numbers} numbers, expected at most {MOST_CONSTANT}")),
    }
}

#[derive(Default)]
pub(crate) struct Assembly {
    nodes: Vec<Node>,
    pub tensors: Vec<Tensor>,
    pub notes: Vec<String>,
    /// Which nodes are true and false, 1 and 0.
    booleans: HashSet<usize>,
    /// `[C, H, W]`, once the picture is known.
    image: Option<[usize; 3]>,
    /// The batch that the file was exported with.
    pub exported: usize,
    /// The file has no numbers of the tensors.
    pub weightless: bool,
}

impl Assembly {
    /// The picture, `[B, C, H, W]` as exported.
    pub(crate) fn picture(&mut self, shape: &[usize]) -> Result<usize, String> {
        let &[batch, c, h, w] = shape else {
            return Err(format!("its input is {shape:?}, expected a batch of pictures (B, C, H, W)"));
        };
        if shape.contains(&0) {
            return Err(format!("its input is {shape:?}, which is empty"));
        }
        self.exported = batch;
        self.image = Some([c, h, w]);
        self.insert(Op::Picture, vec![], vec![BATCH, c.into(), h.into(), w.into()])
    }

    /// A node that is the tensor of this position in the list.
    pub(crate) fn tensor(&mut self, at: usize) -> Result<usize, String> {
        let shape = self.tensors[at].shape.iter().map(|&n| Extent::Fixed(n)).collect();
        self.insert(Op::Parameter(at), vec![], shape)
    }

    /// Infinities, as masks have them, become the largest number that a mask needs: shading languages promise nothing about
    /// them.
    pub(crate) fn constant(&mut self, mut constant: Constant) -> Result<usize, String> {
        bounded(constant.data.len())?;
        if constant.data.iter().any(|v| v.is_infinite()) {
            constant.data = constant.data.iter().map(|v| v.clamp(-HIDDEN, HIDDEN)).collect::<Vec<_>>().into();
        }
        self.push(Op::Constant(constant), &[])
    }

    /// A number that broadcasts to any shape.
    pub(crate) fn number(&mut self, value: f64) -> Result<usize, String> {
        self.constant(Constant { shape: vec![], data: vec![value].into() })
    }

    /// The same of 1 and 0, for true and false.
    pub(crate) fn booleans(&mut self, constant: Constant) -> Result<usize, String> {
        let node = self.constant(constant)?;
        self.booleans.insert(node);
        Ok(node)
    }

    /// Marks a node whose values are 1 and 0 as true and false.
    pub(crate) fn mark_boolean(&mut self, node: usize) -> usize {
        self.booleans.insert(node);
        node
    }

    /// Whether a node is true and false, moved or joined or not.
    pub(crate) fn is_boolean(&self, node: usize) -> bool {
        let (mut open, mut seen) = (vec![node], HashSet::new());
        while let Some(node) = open.pop() {
            if self.booleans.contains(&node) || !seen.insert(node) {
                continue;
            }
            match self.nodes[node].op {
                Op::Reshape(_)
                | Op::Expand(_)
                | Op::Permute(_)
                | Op::Slice { .. }
                | Op::Take { .. }
                | Op::Flip { .. }
                | Op::Concat { .. }
                | Op::Pad { value: 0.0 | 1.0, .. } => open.extend(self.nodes[node].inputs.iter().flatten()),
                _ => return false,
            }
        }
        true
    }

    /// A node whose operands are all there.
    pub(crate) fn push(&mut self, op: Op, inputs: &[usize]) -> Result<usize, String> {
        self.push_with(op, inputs.iter().map(|&i| Some(i)).collect())
    }

    pub(crate) fn push_with(&mut self, op: Op, mut inputs: Vec<Option<usize>>) -> Result<usize, String> {
        if matches!(op, Op::Pair(_) | Op::Select) {
            self.follow_batch(&mut inputs)?;
        }
        let operands = Operands(inputs.iter().map(|input| input.map(|i| &self.nodes[i].shape[..])).collect());
        let shape = infer(&op, &operands)?;
        self.insert(op, inputs, shape)
    }

    /// Tensors of one number everywhere, made with the batch that the network was exported with, grow with the batch of what
    /// they are combined with: `torch.zeros(x.size(0), 8)`.
    fn follow_batch(&mut self, inputs: &mut [Option<usize>]) -> Result<(), String> {
        let behind = |shape: &[Extent]| shape.iter().rev().position(|&e| e == BATCH);
        let batch = inputs.iter().flatten().find_map(|&input| behind(self.shape(input)));
        let Some(behind) = batch.filter(|_| self.exported > 1) else { return Ok(()) };
        for input in inputs.iter_mut().flatten() {
            let mut shape = self.shape(*input).to_vec();
            let Some(axis) = shape.len().checked_sub(behind + 1) else { continue };
            if shape[axis] != Extent::Fixed(self.exported) {
                continue;
            }
            if self.uniform(*input).is_some() {
                shape[axis] = BATCH;
                *input = self.grown(*input, shape)?;
            }
        }
        Ok(())
    }

    /// In a shape with the batch where it had one picture, or any number of the same.
    pub(crate) fn grown(&mut self, node: usize, shape: Vec<Extent>) -> Result<usize, String> {
        let from = self.uniform(node).unwrap_or(node);
        self.push(Op::Expand(shape), &[from])
    }

    /// That number's value.
    pub(crate) fn value(&self, node: usize) -> Option<f64> {
        match self.op(self.uniform(node)?) {
            Op::Constant(constant) => constant.data.first().copied(),
            _ => None,
        }
    }

    pub(crate) fn is_uniform(&self, node: usize) -> bool {
        self.uniform(node).is_some()
    }

    /// The one number that a node is everywhere.
    fn uniform(&self, mut node: usize) -> Option<usize> {
        while matches!(self.op(node), Op::Expand(_) | Op::Reshape(_)) {
            node = self.input(node, 0)?;
        }
        matches!(self.op(node), Op::Constant(constant) if constant.shape.is_empty()).then_some(node)
    }

    fn insert(&mut self, op: Op, inputs: Vec<Option<usize>>, shape: Vec<Extent>) -> Result<usize, String> {
        if self.nodes.len() == MOST_NODES {
            return Err(format!("more than {MOST_NODES} operations"));
        }
        match extent::elements(&shape) {
            Some(0) => return Err(format!("its result {} is empty", show(&shape))),
            Some(1..=MOST_ELEMENTS) if shape.len() <= 8 => {}
            _ => return Err(format!("its result {} has too many elements or axes", show(&shape))),
        }
        self.nodes.push(Node { op, inputs, shape });
        Ok(self.nodes.len() - 1)
    }

    pub(crate) fn shape(&self, node: usize) -> &[Extent] {
        &self.nodes[node].shape
    }

    pub(crate) fn op(&self, node: usize) -> &Op {
        &self.nodes[node].op
    }

    pub(crate) fn input(&self, node: usize, operand: usize) -> Option<usize> {
        self.nodes[node].inputs.get(operand).copied().flatten()
    }

    /// How many operands a node has.
    pub(crate) fn inputs(&self, node: usize) -> usize {
        self.nodes[node].inputs.len()
    }

    /// Says something once.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.notes.iter().any(|note| note == text) {
            self.notes.push(text.into());
        }
    }

    /// The graph whose logits are this node. Tensors that nothing uses stay: they are in the client's gradient as zeros.
    pub(crate) fn finish(mut self, name: String, output: usize) -> Result<Graph, String> {
        let image = self.image.ok_or("it has no input")?;
        let shape = self.shape(output);
        let &[BATCH, Extent::Fixed(classes)] = shape else {
            return Err(format!("its output is {}, expected logits (B, K)", show(shape)));
        };
        // Its softmax is that of the logits, and so is every loss of classes that follows.
        let output = match self.op(output) {
            Op::LogSoftmax { axis: 1 } => {
                self.note("its last log_softmax is left out: cross-entropy of the logits is the same loss");
                self.input(output, 0).expect("has an operand")
            }
            _ => output,
        };
        self.prune(output);
        let output = self.nodes.len() - 1;
        let last = self.last(output)?;
        let Assembly { nodes, tensors, notes, weightless, .. } = self;
        Ok(Graph { name, image, classes, tensors, weightless, notes, nodes, output, last })
    }

    /// Drops the nodes that the output does not need; it becomes the last.
    fn prune(&mut self, output: usize) {
        let mut needed = vec![false; self.nodes.len()];
        needed[output] = true;
        for i in (0..=output).rev() {
            if needed[i] {
                self.nodes[i].inputs.iter().flatten().for_each(|&input| needed[input] = true);
            }
        }
        let mut place = vec![0; self.nodes.len()];
        let mut kept = vec![];
        for (i, mut node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            if needed[i] {
                node.inputs.iter_mut().flatten().for_each(|input| *input = place[*input]);
                place[i] = kept.len();
                kept.push(node);
            }
        }
        self.nodes = kept;
    }
}
