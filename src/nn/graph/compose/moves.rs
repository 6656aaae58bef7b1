//! Numbers that move: parts written back, repeats, positions, pixels and channels, paddings that mirror.

use crate::nn::graph::{
    assemble::{Assembly, bounded},
    extent::Extent,
    op::{Constant, Op},
};

/// What stands outside a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// Mirrored, without the edge itself
    Reflect,
    /// The edge again
    Replicate,
    /// The other side
    Circular,
}

impl Assembly {
    /// The size of an axis that is not the batch.
    pub(crate) fn size(&self, x: usize, axis: usize) -> Result<usize, String> {
        let size = self.shape(x).get(axis).and_then(|e| e.fixed());
        size.ok_or_else(|| {
            format!("axis {axis} is the batch, or there is none: pictures would be told apart")
        })
    }

    /// `whole` with `part` at every `step`-th position of one axis, from one on.
    pub(crate) fn scatter(
        &mut self,
        whole: usize,
        part: usize,
        axis: usize,
        [start, step]: [usize; 2],
    ) -> Result<usize, String> {
        let (size, len) = (self.size(whole, axis)?, self.size(part, axis)?);
        let reach = len.saturating_sub(1).checked_mul(step).and_then(|n| n.checked_add(start));
        if step == 0 || reach.is_none_or(|last| last >= size) {
            return Err(format!("{len} from {start} by {step} of an axis of {size}"));
        }
        let mut shape = self.shape(whole).to_vec();
        shape[axis] = Extent::Fixed(len);
        let part = if self.shape(part) == shape { part } else { self.push(Op::Expand(shape), &[part])? };
        if len == size {
            return Ok(part);
        }
        let mut from: Vec<usize> = (0..size).collect();
        (0..len).for_each(|i| from[start + i * step] = size + i);
        let both = self.push(Op::Concat { axis }, &[whole, part])?;
        self.push(Op::Take { axis, positions: from.into() }, &[both])
    }

    /// `whole` with the rows of `part` at these positions of its first axis; the last one counts where one stands twice.
    pub(crate) fn scatter_rows(
        &mut self,
        whole: usize,
        part: usize,
        positions: &Constant,
    ) -> Result<usize, String> {
        let (size, len) = (self.size(whole, 0)?, self.size(part, 0)?);
        let mut from: Vec<usize> = (0..size).collect();
        for (i, place) in whole_numbers(positions, size)?.into_iter().enumerate().take(len) {
            from[place] = size + i;
        }
        let both = self.push(Op::Concat { axis: 0 }, &[whole, part])?;
        self.push(Op::Take { axis: 0, positions: from.into() }, &[both])
    }

    /// Positions of an axis by a tensor of them, whose axes take the place of that one; negative ones count from the end.
    pub(crate) fn take(&mut self, x: usize, axis: usize, positions: &Constant) -> Result<usize, String> {
        let list = whole_numbers(positions, self.size(x, axis)?)?;
        let taken = self.push(Op::Take { axis, positions: list.into() }, &[x])?;
        let mut shape = self.shape(taken).to_vec();
        shape.splice(axis..=axis, positions.shape.iter().map(|&n| Extent::Fixed(n)));
        self.push(Op::Reshape(shape), &[taken])
    }

    /// The whole tensor so many times along each axis, new axes in front.
    pub(crate) fn repeat(&mut self, x: usize, times: &[usize]) -> Result<usize, String> {
        let own = self.shape(x).to_vec();
        let new = times.len().checked_sub(own.len()).ok_or("fewer repeats than axes")?;
        let mut y = self.push(Op::Reshape([&vec![Extent::Fixed(1); new], &own[..]].concat()), &[x])?;
        for (axis, &n) in times.iter().enumerate().filter(|&(_, &n)| n != 1) {
            let shape = self.shape(y).to_vec();
            if shape[axis] == Extent::Fixed(1) {
                let mut grown = shape;
                grown[axis] = Extent::Fixed(n);
                y = self.push(Op::Expand(grown), &[y])?;
                continue;
            }
            self.size(y, axis)?;
            let count = n.saturating_mul(shape[axis].count());
            let split = [&shape[..axis], &[Extent::Fixed(1)], &shape[axis..]].concat();
            let mut grown = split.clone();
            grown[axis] = Extent::Fixed(n);
            let mut joined = shape;
            joined[axis] = Extent::Fixed(count);
            for op in [Op::Reshape(split), Op::Expand(grown), Op::Reshape(joined)] {
                y = self.push(op, &[y])?;
            }
        }
        Ok(y)
    }

    /// Each element of an axis so many times, one behind the other.
    pub(crate) fn repeat_each(&mut self, x: usize, axis: usize, n: usize) -> Result<usize, String> {
        let (size, shape) = (self.size(x, axis)?, self.shape(x).to_vec());
        let between = [&shape[..=axis], &[Extent::Fixed(1)], &shape[axis + 1..]].concat();
        let mut grown = between.clone();
        grown[axis + 1] = Extent::Fixed(n);
        let mut joined = shape;
        joined[axis] = Extent::Fixed(size.saturating_mul(n));
        let mut y = x;
        for op in [Op::Reshape(between), Op::Expand(grown), Op::Reshape(joined)] {
            y = self.push(op, &[y])?;
        }
        Ok(y)
    }

    /// Cut into these sizes behind the batch, permuted, and seen as those.
    fn rearranged(
        &mut self,
        x: usize,
        cut: &[usize],
        order: &[usize],
        joined: &[usize],
    ) -> Result<usize, String> {
        let batch = self.shape(x)[0];
        let with = |sizes: &[usize]| {
            std::iter::once(batch).chain(sizes.iter().map(|&n| Extent::Fixed(n))).collect::<Vec<_>>()
        };
        let axes = std::iter::once(0).chain(order.iter().map(|d| d + 1)).collect();
        let y = self.push(Op::Reshape(with(cut)), &[x])?;
        let y = self.push(Op::Permute(axes), &[y])?;
        self.push(Op::Reshape(with(joined)), &[y])
    }

    fn picture_sizes(&self, x: usize) -> Result<[usize; 3], String> {
        match *self.shape(x) {
            [_, Extent::Fixed(c), Extent::Fixed(h), Extent::Fixed(w)] => Ok([c, h, w]),
            _ => Err("an operand of other axes than (B, C, H, W)".into()),
        }
    }

    /// `(B, C·r², H, W) → (B, C, H·r, W·r)`; `depth_first`: the channel is the last of the three, as ONNX's DCR has it.
    pub(crate) fn pixel_shuffle(&mut self, x: usize, r: usize, depth_first: bool) -> Result<usize, String> {
        let [c, h, w] = self.picture_sizes(x)?;
        let few = r.checked_mul(r).filter(|&square| square > 0 && c.is_multiple_of(square)).map(|s| c / s);
        let few = few.ok_or_else(|| format!("{c} channels for pixels of {r} × {r}"))?;
        let (cut, order) = match depth_first {
            false => ([few, r, r, h, w], [0, 3, 1, 4, 2]),
            true => ([r, r, few, h, w], [2, 3, 0, 4, 1]),
        };
        self.rearranged(x, &cut, &order, &[few, h * r, w * r])
    }

    /// `(B, C, H·r, W·r) → (B, C·r², H, W)`; `depth_first`: the channel is the last of the three, as ONNX has it.
    pub(crate) fn pixel_unshuffle(&mut self, x: usize, r: usize, depth_first: bool) -> Result<usize, String> {
        let [c, h, w] = self.picture_sizes(x)?;
        if r == 0 || !h.is_multiple_of(r) || !w.is_multiple_of(r) {
            return Err(format!("pixels of {r} × {r} of a picture of {h} × {w}"));
        }
        let order = if depth_first { [2, 4, 0, 1, 3] } else { [0, 2, 4, 1, 3] };
        self.rearranged(x, &[c, h / r, r, w / r, r], &order, &[c.saturating_mul(r * r), h / r, w / r])
    }

    /// Groups of channels become their places in a group.
    pub(crate) fn channel_shuffle(&mut self, x: usize, groups: usize) -> Result<usize, String> {
        let [c, h, w] = self.picture_sizes(x)?;
        if groups == 0 || !c.is_multiple_of(groups) {
            return Err(format!("{groups} groups of {c} channels"));
        }
        self.rearranged(x, &[groups, c / groups, h, w], &[1, 0, 2, 3], &[c, h, w])
    }

    /// Filled from the picture itself, axis after axis.
    pub(crate) fn pad_from(
        &mut self,
        x: usize,
        outside: Outside,
        before: &[usize],
        after: &[usize],
    ) -> Result<usize, String> {
        let mut y = x;
        for axis in (0..before.len()).filter(|&d| before[d] + after[d] > 0) {
            let size = self.size(y, axis)?;
            let most = match outside {
                Outside::Reflect => size.saturating_sub(1),
                Outside::Circular => size,
                Outside::Replicate => 1 << 20,
            };
            if before[axis].max(after[axis]) > most {
                return Err(format!(
                    "a padding of {} and {} of an axis of {size}",
                    before[axis], after[axis]
                ));
            }
            let (n, front) = (size as i64, before[axis] as i64);
            let places = (0..before[axis] + size + after[axis]).map(|i| {
                let i = i as i64 - front;
                let place = match outside {
                    Outside::Reflect if i < 0 => -i,
                    Outside::Reflect if i >= n => 2 * n - 2 - i,
                    Outside::Reflect => i,
                    Outside::Replicate => i.clamp(0, n - 1),
                    Outside::Circular => i.rem_euclid(n),
                };
                place as usize
            });
            y = self.push(Op::Take { axis, positions: places.collect::<Vec<_>>().into() }, &[y])?;
        }
        Ok(y)
    }

    /// x₁, x₁ + x₂, … along an axis: a product with a triangle of ones.
    pub(crate) fn cumulative_sum(&mut self, x: usize, axis: usize) -> Result<usize, String> {
        let size = self.size(x, axis)?;
        bounded(size.saturating_mul(size))?;
        let data: Vec<f64> = (0..size * size).map(|at| f64::from(at % size <= at / size)).collect();
        let ones = self.constant(Constant { shape: vec![size; 2], data: data.into() })?;
        self.along(x, axis, ones)
    }

    /// A matrix `(M,N)` applied to every row of an axis of N.
    pub(crate) fn along(&mut self, x: usize, axis: usize, matrix: usize) -> Result<usize, String> {
        let mut turn: Vec<usize> = (0..self.shape(x).len()).collect();
        let last = turn.len() - 1;
        turn.swap(axis, last);
        let turned = if axis == last { x } else { self.push(Op::Permute(turn.clone()), &[x])? };
        let y = self.push(Op::Linear, &[turned, matrix])?;
        if axis == last { Ok(y) } else { self.push(Op::Permute(turn), &[y]) }
    }
}

/// Positions of an axis of this size; negative ones count from the end.
fn whole_numbers(positions: &Constant, size: usize) -> Result<Vec<usize>, String> {
    let place = |&found: &f64| {
        let place = if found < 0.0 { found + size as f64 } else { found };
        let fits = place.fract() == 0.0 && (0.0..size as f64).contains(&place);
        fits.then_some(place as usize).ok_or_else(|| format!("position {found} of an axis of {size}"))
    };
    positions.data.iter().map(place).collect()
}
