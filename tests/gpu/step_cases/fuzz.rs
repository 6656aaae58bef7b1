//! Random small shapes of every kernel.

use gia_gpu::{
    plan::kernel::{Leaf, Source, View},
    tape::{
        op::Reduce,
        spec::{ConvSpec, WindowSpec},
    },
};
use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    Case, fused, rng,
    shapes::{self, Conv, Window},
};

fn pair(rng: &mut ChaCha8Rng, range: std::ops::RangeInclusive<usize>) -> [usize; 2] {
    [(); 2].map(|()| rng.random_range(range.clone()))
}

pub(crate) fn matmuls(count: u64) -> Vec<Case> {
    let make = |seed| {
        let rng = &mut rng(seed);
        let sizes = [5, 150, 150, 150].map(|most| rng.random_range(1..=most));
        // One thin side in half of the cases.
        let thin = rng.random_range(1..8);
        let sizes = std::array::from_fn(|i| if i == thin { sizes[i] % 6 + 1 } else { sizes[i] });
        shapes::matmul(sizes, [rng.random(), rng.random()], [rng.random(), rng.random()])
    };
    (0..count).map(make).collect()
}

pub(crate) fn convs(which: Conv, count: u64) -> Vec<Case> {
    let make = |seed| {
        let rng = &mut rng(seed);
        let groups = rng.random_range(1..=3);
        let [channels, outputs] = pair(rng, 1..=20).map(|n| n * groups);
        let [kernel, stride, dilation] = [5, 4, 3].map(|most| pair(rng, 1..=most));
        let padding = pair(rng, 0..=3);
        let extra = pair(rng, 0..=8);
        // Large enough for one output, padding included.
        let size = [0, 1].map(|d| {
            let reach: usize = dilation[d] * (kernel[d] - 1) + 1;
            reach.saturating_sub(2 * padding[d]).max(1) + extra[d]
        });
        let batch = rng.random_range(1..=3);
        let spec = ConvSpec { batch, channels, outputs, size, kernel, stride, padding, dilation, groups };
        shapes::conv(which, spec, rng.random_range(1..=3), [rng.random(), rng.random()])
    };
    (0..count).map(make).collect()
}

pub(crate) fn windows(count: u64) -> Vec<Case> {
    let make = |seed| {
        let rng = &mut rng(seed);
        let [kernel, stride] = [4, 4].map(|most| pair(rng, 1..=most));
        let padding = pair(rng, 0..=3);
        let extra = pair(rng, 0..=8);
        let size = [0, 1].map(|d| kernel[d].saturating_sub(2 * padding[d]).max(1) + extra[d]);
        let all = [Window::Argmax, Window::Gather, Window::Scatter, Window::Sum, Window::Spread];
        let spec = WindowSpec { size, kernel, stride, padding };
        shapes::window(all[seed as usize % all.len()], spec, rng.random_range(1..=5))
    };
    (0..count).map(make).collect()
}

/// A view over `dims` that broadcasts, reverses, slices or pads each axis, of a tensor stored in a random
/// order of axes, and that tensor's length.
fn view(rng: &mut ChaCha8Rng, dims: &[usize]) -> (View, usize) {
    let mut order: Vec<_> = (0..dims.len()).collect();
    order.shuffle(rng);
    let mut view =
        View { offset: 0, strides: vec![0; dims.len()], valid: dims.iter().map(|&n| [0, n]).collect() };
    let mut step = 1isize;
    for d in order {
        let n = dims[d];
        match rng.random_range(0..6) {
            0 => {}
            1 => {
                view.strides[d] = -step;
                view.offset += step * (n as isize - 1);
                step *= n as isize;
            }
            2 => {
                view.strides[d] = 2 * step;
                view.offset += step;
                step *= 2 * n as isize;
            }
            3 => {
                let before = rng.random_range(0..n);
                let end = rng.random_range(before + 1..=n);
                view.valid[d] = [before, end];
                view.strides[d] = step;
                view.offset -= step * before as isize;
                step *= (end - before) as isize;
            }
            _ => {
                view.strides[d] = step;
                step *= n as isize;
            }
        }
    }
    (view, step as usize)
}

fn expression(rng: &mut ChaCha8Rng) -> (Vec<usize>, Vec<Leaf>, Vec<usize>) {
    let rank = rng.random_range(0..=5);
    let dims: Vec<_> = (0..rank).map(|_| rng.random_range(1..=6)).collect();
    let reads = rng.random_range(1..=5);
    let (views, lens): (Vec<_>, Vec<_>) = (0..reads).map(|_| view(rng, &dims)).unzip();
    let mut leaves: Vec<_> =
        views.into_iter().enumerate().map(|(i, view)| Leaf { source: Source::Read(i), view }).collect();
    if rng.random() {
        leaves.push(Leaf { source: Source::Ones, view: view(rng, &dims).0 });
    }
    (dims, leaves, lens)
}

pub(crate) fn maps(count: u64) -> Vec<Case> {
    let make = |seed| {
        let (dims, leaves, lens) = expression(&mut rng(seed));
        fused::map("at random", &dims, fused::polynomial(leaves), lens)
    };
    (0..count).map(make).collect()
}

pub(crate) fn map_reduces(count: u64) -> Vec<Case> {
    let make = |seed| {
        let rng = &mut rng(seed);
        let (dims, leaves, lens) = expression(rng);
        let outer = rng.random_range(0..=dims.len());
        fused::map_reduce(&dims, outer, Reduce::Sum, fused::polynomial(leaves), lens)
    };
    (0..count).map(make).collect()
}
