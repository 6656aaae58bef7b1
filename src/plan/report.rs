//! What was fused and what was not, and why.

use std::{collections::HashMap, fmt};

use super::{
    Plan,
    kernel::{BufferId, Kernel, MAX_MAP_READS, Step},
};

/// Why a map stores its result instead of being evaluated inside the kernels that read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apart {
    /// It is an input's next value or a kept output.
    Bound,
    /// A contraction, window or table reads it.
    Operand,
    /// Several kernels read it.
    Shared,
    /// It runs in the prologue, its reader in every iteration.
    Prologue,
    /// Its one reader would evaluate it more than once for each element.
    Repeated,
    /// Together they would read more buffers than a kernel binds.
    Buffers,
    /// Nothing speaks against it.
    Missed,
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Apart::Bound => "new states and outputs",
            Apart::Operand => "operands of contractions, windows or tables",
            Apart::Shared => "read by several kernels",
            Apart::Prologue => "run once",
            Apart::Repeated => "evaluated more than once by their reader",
            Apart::Buffers => "more buffers than a kernel binds",
            Apart::Missed => "unfused",
        })
    }
}

impl Plan {
    /// Every map, and why it stands alone.
    pub fn maps_apart(&self) -> Vec<(usize, Apart)> {
        let bound: Vec<_> = self.bound.values().map(|b| b.0).collect();
        let values = self.values_read();
        let readers = self.readers(&values);
        let is_fused = |s: &Step| matches!(s.kernel, Kernel::Map(_) | Kernel::MapReduce(_));
        let reason = |i: usize| {
            let step = &self.steps[i];
            if bound.contains(&step.write) {
                return Apart::Bound;
            }
            if readers[i].iter().any(|&r| !is_fused(&self.steps[r])) {
                return Apart::Operand;
            }
            let &[reader] = readers[i].as_slice() else { return Apart::Shared };
            let mut reads: Vec<_> = values[reader].iter().chain(&values[i]).collect();
            reads.sort_unstable();
            reads.dedup();
            if (i < self.prologue) != (reader < self.prologue) {
                Apart::Prologue
            } else if points(&self.steps[reader]) != points(step) {
                Apart::Repeated
            } else if reads.len() - 1 > MAX_MAP_READS {
                Apart::Buffers
            } else {
                Apart::Missed
            }
        };
        let maps = (0..self.steps.len()).filter(|&i| matches!(self.steps[i].kernel, Kernel::Map(_)));
        maps.map(|i| (i, reason(i))).collect()
    }

    /// Maps that should have been part of the one kernel that reads them.
    pub fn unfused(&self) -> Vec<usize> {
        let maps = self.maps_apart().into_iter();
        maps.filter(|(_, reason)| *reason == Apart::Missed).map(|(i, _)| i).collect()
    }

    /// Sums of two convolutions: those that are one step, and those that a map adds up because the operands of the
    /// first would have to wait longer than pays.
    pub fn sums_of_convolutions(&self) -> [usize; 2] {
        let is_sum = |s: &&Step| matches!(s.kernel, Kernel::Conv2dSum(_) | Kernel::Conv2dGradInputSum(_));
        let values = self.values_read();
        let readers = self.readers(&values);
        // Of a convolution that one map reads, what it is.
        let kind = |writer: usize| match &self.steps[writer].kernel {
            _ if readers[writer].len() != 1 => None,
            Kernel::Conv2d(k) => Some((false, k.spec)),
            Kernel::Conv2dGradInput(k) => Some((true, k.spec)),
            _ => None,
        };
        let adds_two = |i: &usize| {
            let kinds: Vec<_> = values[*i].iter().filter_map(|v| kind(v.1?)).collect();
            matches!(self.steps[*i].kernel, Kernel::Map(_))
                && (1..kinds.len()).any(|k| kinds[..k].contains(&kinds[k]))
        };
        let apart = (0..self.steps.len()).filter(adds_two).count();
        [self.steps.iter().filter(is_sum).count(), apart]
    }

    /// The values that each step reads: a buffer, and the step that filled it (none: it was filled from outside, or
    /// in the iteration before).
    fn values_read(&self) -> Vec<Vec<(BufferId, Option<usize>)>> {
        let mut writer: HashMap<BufferId, usize> = HashMap::new();
        let mut values = Vec::with_capacity(self.steps.len());
        for (i, step) in self.steps.iter().enumerate() {
            values.push(step.reads.iter().map(|b| (*b, writer.get(b).copied())).collect());
            writer.insert(step.write, i);
        }
        values
    }

    /// The steps that read what each step writes.
    fn readers(&self, values: &[Vec<(BufferId, Option<usize>)>]) -> Vec<Vec<usize>> {
        let mut readers: Vec<Vec<usize>> = vec![vec![]; self.steps.len()];
        for (i, reads) in values.iter().enumerate() {
            reads.iter().filter_map(|value| value.1).for_each(|writer| readers[writer].push(i));
        }
        readers.iter_mut().for_each(Vec::dedup);
        readers
    }

    /// The report in words.
    pub fn report(&self) -> String {
        let totals = self.totals();
        let [merged, apart] = self.sums_of_convolutions();
        let mut text = format!(
            "prologue (p): {} steps, {:.3} MB moved once instead of in every iteration\n\
             sums of two convolutions: {merged} merged, {apart} apart (the operands of the first would wait for the \
             second)\n",
            totals.prologue,
            totals.prologue_bytes as f64 / 1e6,
        );
        let mut reasons: Vec<(Apart, usize)> = vec![];
        let mut maps = self.maps_apart();
        maps.sort_by_key(|map| map.1);
        for (_, reason) in maps {
            match reasons.last_mut() {
                Some((last, count)) if *last == reason => *count += 1,
                _ => reasons.push((reason, 1)),
            }
        }
        let reasons: Vec<String> =
            reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        text += &format!("maps of their own: {}\n", reasons.join(", "));
        text
    }
}

/// Points of a fused kernel's index space.
fn points(step: &Step) -> usize {
    match &step.kernel {
        Kernel::Map(k) => k.dims.iter().product(),
        Kernel::MapReduce(k) => k.dims.iter().product(),
        _ => 0,
    }
}
