//! What [`super::depthwise`] adds up: which elements of a plane go into which results, and what lies outside is left out.

use std::ops::Range;

use super::by_outputs_tiles::LANES;
use crate::tape::spec::ConvSpec;

/// A depthwise convolution, or its gradient by x, of 16 planes whose numbers lie side by side.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Height and width of a plane as it is stored.
    pub source: [usize; 2],
    /// Zeros to the left of each row, and its length with those to the right; rows outside are skipped.
    pub left: usize,
    pub pitch: usize,
    /// Height and width of a plane of results.
    pub results: [usize; 2],
    /// Rows and columns of the source from one result to the next of a phase.
    pub step: [usize; 2],
    /// Results from one of a phase to the next.
    pub cell: [usize; 2],
    /// Results that meet the same taps.
    pub phases: Vec<Phase>,
}

/// Results `first + cell·i`, `count` of them.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub first: [usize; 2],
    pub count: [usize; 2],
    /// Row by row of the kernel.
    pub taps: Vec<Tap>,
    /// The taps of each row of results: those outside are no part of it.
    pub inside: Vec<Range<usize>>,
    /// Rows of taps, each with the rows of results that it reaches from inside.
    pub reached: Vec<[Range<usize>; 2]>,
    /// Where the weights of the taps end.
    pub weights_len: usize,
}

/// An element that results add up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    /// Where its weights lie.
    pub weight: usize,
    /// From the place of a result's row and column to it.
    pub offset: isize,
}

/// One axis of a phase.
struct Line {
    first: usize,
    count: usize,
    /// The kernel's elements that meet anything, and where they lie from `step·i` on.
    taps: Vec<(usize, isize)>,
}

/// Whether the convolution is depthwise and computes something.
fn fits(spec: &ConvSpec) -> bool {
    spec.is_depthwise() && spec.output_len() * spec.input_len() > 0
}

impl Form {
    /// The convolution's. `None` where it is not depthwise.
    pub(crate) fn new(spec: &ConvSpec) -> Option<Form> {
        let results = fits(spec).then(|| spec.output_size())?;
        let lines = [0, 1].map(|d| {
            let shift = |k: usize| (k * spec.dilation[d]) as isize - spec.padding[d] as isize;
            let taps = (0..spec.kernel[d]).map(|k| (k, shift(k))).collect();
            vec![Line { first: 0, count: results[d], taps }]
        });
        Some(Form::of(spec, [spec.size, results], spec.stride, [1; 2], lines))
    }

    /// The gradient's by x.
    pub(crate) fn grad_input(spec: &ConvSpec) -> Option<Form> {
        let source = fits(spec).then(|| spec.output_size())?;
        // Pixel s·i + p is the sum over all k with k·d ≡ p + padding (mod s) of g[i + (p + padding − k·d)/s]·w[k].
        let lines = [0, 1].map(|d| {
            let cell = spec.stride[d];
            let tap = |first: usize, k: usize| {
                let shift = (first + spec.padding[d]) as isize - (k * spec.dilation[d]) as isize;
                (shift % cell as isize == 0).then_some((k, shift / cell as isize))
            };
            let line = |first: usize| {
                let taps = (0..spec.kernel[d]).filter_map(|k| tap(first, k)).collect();
                Line { first, count: (spec.size[d] - first).div_ceil(cell), taps }
            };
            (0..cell.min(spec.size[d])).map(line).collect()
        });
        Some(Form::of(spec, [source, spec.size], [1; 2], spec.stride, lines))
    }

    fn of(
        spec: &ConvSpec,
        [source, results]: [[usize; 2]; 2],
        step: [usize; 2],
        cell: [usize; 2],
        mut lines: [Vec<Line>; 2],
    ) -> Form {
        for d in 0..2 {
            for line in &mut lines[d] {
                // The first result that the tap reaches from inside must exist, and be reached.
                let count = line.count;
                line.taps.retain(|&(_, shift)| {
                    let i = shift.min(0).unsigned_abs().div_ceil(step[d]);
                    i < count && ((step[d] * i) as isize + shift) < source[d] as isize
                });
            }
        }
        let across = || lines[1].iter().flat_map(|line| line.taps.iter().map(move |tap| (line.count, tap.1)));
        let left = across().map(|(_, shift)| shift.min(0).unsigned_abs()).max().unwrap_or(0);
        let end = across().map(|(count, shift)| (step[1] * (count - 1)) as isize + shift + 1).max();
        let pitch = left + source[1].max(end.unwrap_or(0).max(0) as usize);
        let phase = |[y, x]: [&Line; 2]| {
            let tap = |(ky, down): (usize, isize), (kx, right): (usize, isize)| Tap {
                weight: (ky * spec.kernel[1] + kx) * LANES,
                offset: (down * pitch as isize + left as isize + right) * LANES as isize,
            };
            let taps: Vec<Tap> =
                y.taps.iter().flat_map(|&row| x.taps.iter().map(move |&column| tap(row, column))).collect();
            // Rows of results that a row of taps reaches from inside are neighbours, and so are the rows of taps of a result.
            let reached: Vec<Range<usize>> = (y.taps.iter())
                .map(|&(_, down)| {
                    let start = down.min(0).unsigned_abs().div_ceil(step[0]);
                    let end = ((source[0] as isize - down).max(0) as usize).div_ceil(step[0]);
                    start..end.min(y.count)
                })
                .collect();
            let columns = x.taps.len();
            let inside = (0..y.count).map(|i| {
                let rows = || reached.iter().enumerate().filter(|(_, reached)| reached.contains(&i));
                let first = rows().next().map_or(0, |(row, _)| row);
                first * columns..(first + rows().count()) * columns
            });
            Phase {
                first: [y.first, x.first],
                count: [y.count, x.count],
                inside: inside.collect(),
                reached: (reached.iter().enumerate())
                    .map(|(row, reached)| [reached.clone(), row * columns..(row + 1) * columns])
                    .collect(),
                weights_len: taps.iter().map(|tap| tap.weight + LANES).max().unwrap_or(0),
                taps,
            }
        };
        let phases = lines[0].iter().flat_map(|y| lines[1].iter().map(move |x| phase([y, x]))).collect();
        Form { source, left, pitch, results, step, cell, phases }
    }

    /// Elements of 16 planes of the source.
    #[inline(always)]
    pub(crate) fn source_len(&self) -> usize {
        self.source[0] * self.pitch * LANES
    }

    /// Elements of 16 planes of results.
    #[inline(always)]
    pub(crate) fn result_len(&self) -> usize {
        self.results[0] * self.results[1] * LANES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ConvSpec = ConvSpec {
        batch: 1,
        channels: 2,
        outputs: 2,
        size: [2, 4],
        kernel: [7; 2],
        stride: [1; 2],
        padding: [3; 2],
        dilation: [1; 2],
        groups: 2,
    };

    #[test]
    fn taps_that_reach_nothing_are_left_out() {
        let form = Form::new(&SPEC).unwrap();
        assert_eq!((form.left, form.pitch), (3, 10));
        // Of seven rows three reach one of two rows, two each of them; columns reach four from all seven.
        assert_eq!(form.phases[0].taps.len(), 3 * 7);
        assert_eq!(form.phases[0].inside, [7..21, 0..14]);
        assert_eq!(form.phases[0].reached, [[1..2, 0..7], [0..2, 7..14], [0..1, 14..21]]);
    }

    #[test]
    fn pixels_that_no_tap_reaches_have_a_phase_without_taps() {
        let spec = ConvSpec { kernel: [1; 2], stride: [2; 2], padding: [0; 2], ..SPEC };
        let form = Form::grad_input(&spec).unwrap();
        let taps: Vec<_> = form.phases.iter().map(|phase| phase.taps.len()).collect();
        assert_eq!(taps, [1, 0, 0, 0]);
        assert_eq!((form.results, form.source), ([2, 4], [1, 2]));
        assert!(Form::new(&ConvSpec { groups: 1, ..spec }).is_none());
    }
}
