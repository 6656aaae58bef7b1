//! What several formats say in other words and is made of the same operations.

mod einsum;
mod functions;
pub(crate) mod masks;
pub(crate) mod moves;
pub(crate) mod resize;

use std::collections::HashMap;

use super::{
    Tensor,
    assemble::Assembly,
    extent::{BATCH, Extent},
    op::{Op, Pair},
};

impl Assembly {
    /// `x[start:end:step]` of one axis by Python's rules: negative positions count from the end, all are held inside.
    pub(crate) fn slice(
        &mut self,
        x: usize,
        at: usize,
        [start, end, step]: [i64; 3],
    ) -> Result<usize, String> {
        let extent = *self.shape(x).get(at).ok_or_else(|| format!("axis {at} of a tensor that has fewer"))?;
        if start == 0 && end >= extent.at(self.exported) as i64 && step == 1 {
            return Ok(x);
        }
        let size =
            extent.fixed().ok_or_else(|| format!("axis {at} is the batch: it would take some pictures"))?;
        let place = |found: i64| -> usize {
            let found = if found < 0 { found.saturating_add(size as i64) } else { found };
            found.clamp(0, size as i64) as usize
        };
        let step = usize::try_from(step).ok().filter(|&step| step > 0).ok_or("a step below 1")?;
        let (start, end) = (place(start), place(end));
        let len = end.saturating_sub(start);
        let y = self.push(Op::Slice { axis: at, start, len }, &[x])?;
        if step > 1 { self.strided(y, at, step) } else { Ok(y) }
    }

    /// Every `step`-th of an axis, from the first: the first of each group of `step`, the last group filled up.
    fn strided(&mut self, x: usize, at: usize, step: usize) -> Result<usize, String> {
        let shape = self.shape(x).to_vec();
        let len = shape[at].count();
        let groups = len.div_ceil(step);
        let mut after = vec![0; shape.len()];
        after[at] = groups.saturating_mul(step).saturating_sub(len);
        let mut y = self.push(Op::Pad { before: vec![0; shape.len()], after, value: 0.0 }, &[x])?;
        let mut grouped = shape.clone();
        grouped.splice(at..=at, [Extent::Fixed(groups), Extent::Fixed(step)]);
        y = self.push(Op::Reshape(grouped), &[y])?;
        y = self.push(Op::Slice { axis: at + 1, start: 0, len: 1 }, &[y])?;
        let mut thinned = shape;
        thinned[at] = Extent::Fixed(groups);
        self.push(Op::Reshape(thinned), &[y])
    }

    /// One position of an axis, which goes away.
    pub(crate) fn select(&mut self, x: usize, at: usize, index: i64) -> Result<usize, String> {
        let mut shape = self.shape(x).to_vec();
        let size = shape.get(at).and_then(|e| e.fixed());
        let size = size.ok_or_else(|| format!("axis {at} is the batch, or there is none"))? as i64;
        let place = if index < 0 { index.saturating_add(size) } else { index };
        if !(0..size).contains(&place) {
            return Err(format!("position {index} of an axis of {size}"));
        }
        let y = self.push(Op::Slice { axis: at, start: place as usize, len: 1 }, &[x])?;
        shape.remove(at);
        self.push(Op::Reshape(shape), &[y])
    }

    /// Consecutive parts of one axis.
    pub(crate) fn split(&mut self, x: usize, at: usize, lens: &[usize]) -> Result<Vec<usize>, String> {
        let mut start = 0usize;
        let part = |&len: &usize| {
            let part = self.push(Op::Slice { axis: at, start, len }, &[x]);
            start = start.saturating_add(len);
            part
        };
        lens.iter().map(part).collect()
    }

    /// Joined along one axis. Exported with a batch of one, what does not depend on the picture has 1 where others have
    /// the batch.
    pub(crate) fn concat(&mut self, mut parts: Vec<usize>, axis: usize) -> Result<usize, String> {
        let whole = parts
            .iter()
            .find(|&&part| self.shape(part).contains(&BATCH))
            .map(|&part| self.shape(part).to_vec());
        for part in &mut parts {
            let Some(whole) = &whole else { break };
            let mut shape = self.shape(*part).to_vec();
            let one = Extent::Fixed(self.exported);
            if shape.len() == whole.len()
                && !shape.contains(&BATCH)
                && (self.exported == 1 || self.is_uniform(*part))
            {
                let grows = |d: &usize| *d != axis && whole[*d] == BATCH && shape[*d] == one;
                if let Some(d) = (0..shape.len()).find(grows) {
                    shape[d] = BATCH;
                    *part = self.grown(*part, shape)?;
                }
            }
        }
        self.push(Op::Concat { axis }, &parts)
    }

    /// Without these axes of size 1.
    pub(crate) fn squeeze(&mut self, x: usize, axes: &[usize]) -> Result<usize, String> {
        let shape = self.shape(x).iter().enumerate();
        let kept = shape.filter(|(d, e)| !(axes.contains(d) && **e == Extent::Fixed(1))).map(|(_, &e)| e);
        let kept = kept.collect();
        self.push(Op::Reshape(kept), &[x])
    }

    /// A product; with a matrix turned round it is a linear layer.
    pub(crate) fn product(&mut self, x: usize, y: usize, bias: Option<usize>) -> Result<usize, String> {
        let turned = matches!(self.op(y), Op::Permute(axes) if axes[..] == [1, 0]);
        if let Some(weight) = self.input(y, 0).filter(|_| turned) {
            return self.push_with(Op::Linear, vec![Some(x), Some(weight), bias]);
        }
        let product = self.push(Op::Matmul, &[x, y])?;
        match bias {
            Some(bias) => self.push(Op::Pair(Pair::Add), &[product, bias]),
            None => Ok(product),
        }
    }

    /// A sum that is a bias of the layer before it, where both are that; the layer alone is dropped if nothing else uses it.
    pub(crate) fn with_bias(&mut self, x: usize, bias: usize) -> Result<Option<usize>, String> {
        let outputs = self.shape(x).last().copied();
        let fits = *self.op(x) == Op::Linear
            && self.input(x, 2).is_none()
            && matches!(self.op(bias), Op::Parameter(_))
            && matches!(self.shape(bias), [n] if Some(*n) == outputs);
        if !fits {
            return Ok(None);
        }
        let inputs = vec![self.input(x, 0), self.input(x, 1), Some(bias)];
        self.push_with(Op::Linear, inputs).map(Some)
    }

    /// Whether a node is a constant of this value everywhere.
    pub(crate) fn is_number(&self, mut node: usize, value: f64) -> bool {
        while let (Op::Expand(_) | Op::Reshape(_), Some(input)) = (self.op(node), self.input(node, 0)) {
            node = input;
        }
        matches!(self.op(node), Op::Constant(constant) if constant.data.iter().all(|&v| v == value))
    }

    /// How many parts of `each` an axis has, the last one smaller.
    pub(crate) fn even(&self, x: usize, at: usize, each: usize) -> Result<Vec<usize>, String> {
        let size = self.shape(x).get(at).and_then(|e| e.fixed());
        let size = size.ok_or_else(|| {
            format!("axis {at} is the batch, or there is none: pictures would be told apart")
        })?;
        match each {
            0 => Err("parts of 0".into()),
            each => Ok((0..size).step_by(each).map(|i| each.min(size - i)).collect()),
        }
    }
}

/// Parameters with running statistics behind those of their layer, as a `state_dict` has them; and where each of both
/// went.
pub(crate) fn in_order(
    parameters: Vec<Tensor>,
    statistics: Vec<Tensor>,
) -> (Vec<Tensor>, HashMap<String, usize>) {
    let layer = |name: &str| name.rsplit_once('.').map_or("", |(layer, _)| layer).to_string();
    let mut last: HashMap<String, usize> = HashMap::new();
    for (at, tensor) in parameters.iter().enumerate() {
        last.insert(layer(&tensor.name), at);
    }
    let mut behind: HashMap<Option<usize>, Vec<Tensor>> = HashMap::new();
    for tensor in statistics {
        behind.entry(last.get(&layer(&tensor.name)).copied()).or_default().push(tensor);
    }
    let mut merged = vec![];
    for (at, tensor) in parameters.into_iter().enumerate() {
        merged.push(tensor);
        merged.extend(behind.remove(&Some(at)).unwrap_or_default());
    }
    merged.extend(behind.remove(&None).unwrap_or_default());
    let places = merged.iter().enumerate().map(|(at, tensor)| (tensor.name.clone(), at)).collect();
    (merged, places)
}
