//! Large maps that overwrite an operand which nobody needs after them.
//!
//! A processor loads the lines that it is about to overwrite: writing where one has just read saves that, and the memory
//! of the second tensor. Small tensors stay in the caches, where it makes no difference.

use std::collections::HashSet;

use super::{
    Plan,
    kernel::{BufferId, Kernel, MapKernel, Source, Step},
    memory::{Lifetime, shared},
};

/// Elements from which on it pays.
const LARGE: usize = 1 << 16;

/// What a buffer that the plan has to itself holds from one step to another.
#[derive(Clone, Copy)]
struct Value {
    lifetime: Lifetime,
    /// The value whose memory this one takes over; itself if none.
    origin: usize,
}

impl Plan {
    /// The same plan with large maps in place, and buffers assigned anew. Buffers that are bound keep their contents;
    /// the numbers of all of them may change. A plan that names buffers which it does not have stays as it is.
    pub fn in_place(&self) -> Plan {
        let known = |&buffer: &BufferId| buffer < self.buffers.len();
        let used = self.steps.iter().flat_map(|s| s.reads.iter().chain([&s.write]));
        let outside = self.bound.values().map(|b| &b.0).chain(self.literals.iter().map(|l| &l.0));
        if !used.chain(outside).all(known) {
            return self.clone();
        }
        let held = self.held();
        let mut values: Vec<Value> = vec![];
        // The value in each buffer, and the values that each step reads and writes.
        let mut current: Vec<Option<usize>> = vec![None; self.buffers.len()];
        let (mut reads, mut writes) = (vec![], vec![]);
        for (i, step) in self.steps.iter().enumerate() {
            let seen: Vec<Option<usize>> = step.reads.iter().map(|&b| current[b]).collect();
            for &value in seen.iter().flatten() {
                let lifetime = &mut values[value].lifetime;
                let made_before = lifetime.from < self.prologue && i >= self.prologue;
                lifetime.to = if made_before { self.steps.len() } else { lifetime.to.max(i) };
            }
            reads.push(seen);
            let own = (!held.contains(&step.write)).then(|| {
                let lifetime = Lifetime { len: step.kernel.output_len(), from: i, to: i };
                values.push(Value { lifetime, origin: values.len() });
                values.len() - 1
            });
            current[step.write] = own;
            writes.push(own);
        }
        let mut steps = self.steps.clone();
        for (i, step) in steps.iter_mut().enumerate() {
            let (Some(own), Kernel::Map(map)) = (writes[i], &mut step.kernel) else { continue };
            let ends = |value: usize| values[value].lifetime.to == i;
            let dying = (0..reads[i].len()).find(|&r| {
                reads[i][r].is_some_and(ends) && values[own].lifetime.len >= LARGE && fits(map, r)
            });
            if let Some(read) = dying {
                let taken = reads[i].remove(read).expect("it was found");
                overwrite(map, read);
                step.reads.remove(read);
                let (origin, to) = (values[taken].origin, values[own].lifetime.to);
                values[own].origin = origin;
                values[origin].lifetime.to = to;
                // Those that took over earlier end here, too.
                values[origin].lifetime.len = values[origin].lifetime.len.max(values[own].lifetime.len);
            }
        }
        self.assigned_anew(&held, steps, &reads, &writes, &values)
    }

    /// Buffers whose contents come from outside the iteration or go there, or that are updated in place already.
    fn held(&self) -> HashSet<BufferId> {
        let mut held: HashSet<BufferId> =
            self.bound.values().map(|b| b.0).chain(self.literals.iter().map(|l| l.0)).collect();
        let mut written: HashSet<BufferId> = HashSet::new();
        for step in &self.steps {
            held.extend(step.reads.iter().filter(|b| !written.contains(b)));
            if let Kernel::Map(map) = &step.kernel
                && map.program.leaves.iter().any(|l| l.source == Source::Output)
            {
                held.insert(step.write);
            }
            written.insert(step.write);
        }
        held.extend((0..self.buffers.len()).filter(|b| !written.contains(b)));
        held
    }

    fn assigned_anew(
        &self,
        held: &HashSet<BufferId>,
        mut steps: Vec<Step>,
        reads: &[Vec<Option<usize>>],
        writes: &[Option<usize>],
        values: &[Value],
    ) -> Plan {
        let mut buffers = vec![];
        let mut renumbered = vec![0; self.buffers.len()];
        for (id, &len) in self.buffers.iter().enumerate().filter(|(id, _)| held.contains(id)) {
            renumbered[id] = buffers.len();
            buffers.push(len);
        }
        let first = buffers.len();
        let origins: Vec<usize> = (0..values.len()).filter(|&i| values[i].origin == i).collect();
        let lifetimes: Vec<Lifetime> = origins.iter().map(|&i| values[i].lifetime).collect();
        let mut places = vec![0; values.len()];
        for (&origin, number) in origins.iter().zip(shared(&lifetimes)) {
            places[origin] = first + number;
            buffers.resize(buffers.len().max(first + number + 1), 0);
            buffers[first + number] = buffers[first + number].max(values[origin].lifetime.len);
        }
        let place = |value: Option<usize>, buffer: BufferId| match value {
            Some(value) => places[values[value].origin],
            None => renumbered[buffer],
        };
        for (i, step) in steps.iter_mut().enumerate() {
            step.reads.iter_mut().zip(&reads[i]).for_each(|(buffer, &value)| *buffer = place(value, *buffer));
            step.write = place(writes[i], step.write);
        }
        Plan {
            steps,
            buffers,
            prologue: self.prologue,
            literals: self.literals.iter().map(|(b, data)| (renumbered[*b], data.clone())).collect(),
            bound: self.bound.iter().map(|(&v, &(b, len))| (v, (renumbered[b], len))).collect(),
        }
    }
}

/// Whether a map reads this operand element by element.
fn fits(map: &MapKernel, read: usize) -> bool {
    let mut leaves = map.program.leaves.iter().filter(|l| l.source == Source::Read(read)).peekable();
    leaves.peek().is_some() && leaves.all(|l| l.view.is_identity(&map.dims))
}

/// Makes the map read this operand from its output.
pub(crate) fn overwrite(map: &mut MapKernel, read: usize) {
    for leaf in &mut map.program.leaves {
        leaf.source = match leaf.source {
            Source::Read(r) if r == read => Source::Output,
            Source::Read(r) if r > read => Source::Read(r - 1),
            other => other,
        };
    }
}
