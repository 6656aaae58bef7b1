//! A fused expression reduced over trailing axes, in one launch or, for few long reductions, in two.

use super::{
    super::{
        launch::{Launch, Slot, fold},
        wgsl::Values,
    },
    BUSY, Style, WORKGROUP,
    expression::Expression,
};
use crate::{
    device::DeviceError,
    plan::kernel::{Instr, Leaf, MAX_TRIPS, MapReduceKernel, Program, Source, View},
    tape::op::Reduce,
};

/// What the entry point needs to know of its subgroup: arguments, since naga's HLSL leaves those of a struct unset.
const BUILTINS: &str = "
    @builtin(subgroup_size) subgroup_size: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,";
const SUBGROUP: &str = "Subgroup(subgroup_size, subgroups, subgroup, subgroup_lane)";

pub(crate) fn launches(
    kernel: &MapReduceKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    let expression = Expression::new(&kernel.dims, kernel.outer, &kernel.program);
    let [outputs, length] = expression.space.lens();
    // A sum of partial results is not split again: there is one place for partial results.
    let may_split = !reads.iter().any(|read| matches!(read, Slot::Partials(_)));
    let cut = Cut::new(outputs, length, expression.space.runs_along_kept(), may_split);
    let groups = fold(outputs.div_ceil(WORKGROUP / cut.lanes) * cut.splits)?;
    let (identity, combine) = match kernel.reduce {
        Reduce::Sum => ("0u", "sum"),
        Reduce::Max => ("0xff800000u", "maximum"),
    };
    let [lane_step, output_step] = if cut.along_kept { [WORKGROUP / cut.lanes, 1] } else { [1, cut.lanes] };
    let words = expression
        .words(reads.len(), ["o", "r"], ["        ", "            "])
        .set("OUTPUT_STEP", output_step)
        .set("IDENTITY", identity)
        .set("COMBINE", combine);
    let subgroups = style.subgroups && cut.lanes == WORKGROUP;
    let words = match subgroups {
        true => words.set("JOIN", "join_subgroups").set("BUILTINS", BUILTINS).set("JOINED", SUBGROUP),
        false => {
            let words = words.set("JOIN", "join_tree").set("BUILTINS", "").set("JOINED", "thread, lane");
            words.set("LANES", cut.lanes).set("LANE_STEP", lane_step)
        }
    };
    let sizes = [("outputs", outputs), ("length", length), ("splits", cut.splits), ("chunk", cut.chunk)];
    let params = expression.params().and(Values::of(sizes)).set("fold", groups[0]);
    let mut launch = Launch::new("map_reduce", &words, &params, reads, write, groups)?;
    if subgroups {
        launch.variant = "subgroups".into();
    }
    if cut.splits == 1 {
        return Ok(vec![launch]);
    }
    let partials = Slot::Partials(outputs * cut.splits);
    let joined = join(kernel.reduce, [outputs, cut.splits], [cut.splits, 1], partials, write, style)?;
    Ok([Launch { write: partials, ..launch }].into_iter().chain(joined).collect())
}

/// Reduces a strided matrix `(kept, reduced)` of partial results.
pub(crate) fn join(
    reduce: Reduce,
    dims: [usize; 2],
    strides: [usize; 2],
    read: Slot,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    let strides = strides.map(|s| s as isize).to_vec();
    let view = View { offset: 0, strides, valid: dims.map(|n| [0, n]).to_vec() };
    let leaves = vec![Leaf { source: Source::Read(0), view }];
    let program = Program { leaves, code: vec![Instr::Load(0)] };
    let kernel = MapReduceKernel { dims: dims.to_vec(), outer: 1, reduce, program };
    launches(&kernel, vec![read], write, style)
}

/// How a reduction of `length` elements into each of `outputs` is spread over invocations.
struct Cut {
    /// Invocations per output, a power of two.
    lanes: usize,
    /// True if neighbouring invocations work on neighbouring outputs.
    along_kept: bool,
    /// Workgroups per output.
    splits: usize,
    /// Elements of one split.
    chunk: usize,
}

impl Cut {
    fn new(outputs: usize, length: usize, along_kept: bool, may_split: bool) -> Self {
        let lanes = match along_kept {
            // At least 32 neighbouring outputs, to read whole cache lines, or 8, which is a sector, where more workgroups are
            // to be had in no other way; more if there are plenty.
            true => {
                let line = if may_split || outputs / 32 >= BUSY { 32 } else { 8 };
                let fewest = outputs.next_power_of_two().clamp(1, line);
                let plenty = (outputs / BUSY).clamp(1, WORKGROUP);
                let neighbours = fewest.max((plenty + 1).next_power_of_two() / 2);
                (WORKGROUP / neighbours).min(length.next_power_of_two())
            }
            // At least four elements a lane.
            false => (length / 4).max(1).next_power_of_two().min(WORKGROUP),
        };
        let groups = outputs.div_ceil(WORKGROUP / lanes).max(1);
        let worthwhile = if may_split { BUSY.div_ceil(groups).min(length / (16 * lanes)) } else { 1 };
        let required = length.div_ceil(lanes * MAX_TRIPS / 2);
        let splits = worthwhile.max(required).max(1);
        let chunk = length.div_ceil(splits).next_multiple_of(lanes).max(1);
        Cut { lanes, along_kept, splits: length.div_ceil(chunk).max(1), chunk }
    }
}
