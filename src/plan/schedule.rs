//! In which order the steps run: the order that needs least memory at its worst moment, of a few.
//!
//! Finding the best order is hard (Sethi 1975); double backpropagation has a shape that simple rules do well on.
//! All candidates are deterministic, and the order of the tape is one of them, so nothing gets worse.

use std::collections::{HashMap, HashSet};

use super::lower::TensorStep;
use crate::tape::{Tape, Var};

/// Steps and what they need of each other.
struct Graph<'a> {
    steps: &'a [TensorStep],
    /// Steps that must come before each.
    before: Vec<Vec<usize>>,
    /// Steps that must come after each.
    after: Vec<Vec<usize>>,
    /// Elements that a tensor takes while it lives; none where its memory is its own anyway.
    len: HashMap<Var, usize>,
    /// How many steps read a tensor.
    readers: HashMap<Var, usize>,
}

/// Reorders the first `prologue` steps, and the others. `held`: tensors that keep their memory anyway;
/// `updates`: `(state, new value)`.
pub(crate) fn order(
    tape: &Tape,
    mut steps: Vec<TensorStep>,
    prologue: usize,
    mut held: HashSet<Var>,
    updates: &[(Var, Var)],
) -> Vec<TensorStep> {
    let rest = steps.split_off(prologue);
    let early: HashSet<Var> = steps.iter().map(|s| s.write).collect();
    held.extend(rest.iter().flat_map(|s| &s.reads).filter(|v| early.contains(v)));
    let mut ordered = best_order(tape, steps, &held, &[]);
    ordered.extend(best_order(tape, rest, &held, updates));
    ordered
}

fn best_order(
    tape: &Tape,
    steps: Vec<TensorStep>,
    held: &HashSet<Var>,
    updates: &[(Var, Var)],
) -> Vec<TensorStep> {
    let graph = Graph::new(tape, &steps, held, updates);
    let candidates = [(0..steps.len()).collect(), graph.lazy(), graph.forwards(), graph.backwards()];
    let best = candidates.into_iter().min_by_key(|order: &Vec<usize>| graph.peak(order)).unwrap_or_default();
    let mut steps: Vec<Option<TensorStep>> = steps.into_iter().map(Some).collect();
    best.into_iter().map(|i| steps[i].take().expect("an order names every step once")).collect()
}

impl<'a> Graph<'a> {
    fn new(tape: &Tape, steps: &'a [TensorStep], held: &HashSet<Var>, updates: &[(Var, Var)]) -> Self {
        let writer: HashMap<Var, usize> = steps.iter().enumerate().map(|(i, s)| (s.write, i)).collect();
        let mut before: Vec<Vec<usize>> = Vec::with_capacity(steps.len());
        let (mut len, mut readers) = (HashMap::new(), HashMap::new());
        for step in steps {
            if !held.contains(&step.write) {
                len.insert(step.write, tape.len_of(step.write));
            }
            let reads: HashSet<Var> = step.reads.iter().copied().collect();
            reads.iter().for_each(|&v| *readers.entry(v).or_default() += 1);
            let mut from: Vec<usize> = reads.iter().filter_map(|v| writer.get(v).copied()).collect();
            from.sort_unstable();
            before.push(from);
        }
        // A new value can take its state's place only when nobody reads the old one any more.
        for (state, value) in updates {
            let Some(&at) = writer.get(value) else { continue };
            let old: Vec<usize> =
                (0..steps.len()).filter(|&i| i != at && steps[i].reads.contains(state)).collect();
            if old.iter().all(|&i| i < at) {
                before[at].extend(old);
                before[at].sort_unstable();
                before[at].dedup();
            }
        }
        let mut after = vec![Vec::new(); steps.len()];
        for (i, from) in before.iter().enumerate() {
            from.iter().for_each(|&j| after[j].push(i));
        }
        Graph { steps, before, after, len, readers }
    }

    /// Memory that a tensor takes.
    fn len(&self, v: Var) -> usize {
        self.len.get(&v).copied().unwrap_or(0)
    }

    /// Distinct tensors that a step reads.
    fn reads(&self, step: usize) -> impl Iterator<Item = Var> + '_ {
        let reads = &self.steps[step].reads;
        (0..reads.len()).filter(|&i| !reads[..i].contains(&reads[i])).map(|i| reads[i])
    }

    /// Most elements that live at a time.
    fn peak(&self, order: &[usize]) -> usize {
        let mut left = self.readers.clone();
        let (mut live, mut peak) = (0, 0);
        for &step in order {
            let write = self.steps[step].write;
            live += self.len(write);
            peak = peak.max(live);
            for v in self.reads(step) {
                let left = left.get_mut(&v).expect("every tensor read has readers");
                *left -= 1;
                if *left == 0 {
                    live -= self.len(v);
                }
            }
            if !self.readers.contains_key(&write) {
                live -= self.len(write);
            }
        }
        peak
    }

    /// Each step as late as those that need it allow, in the order of the tape otherwise.
    fn lazy(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.steps.len());
        let mut placed = vec![false; self.steps.len()];
        for root in (0..self.steps.len()).filter(|&i| self.after[i].is_empty()) {
            let mut stack = vec![(root, 0)];
            while let Some((step, operand)) = stack.pop() {
                match self.before[step].get(operand) {
                    _ if placed[step] => {}
                    Some(&from) => {
                        stack.push((step, operand + 1));
                        stack.push((from, 0));
                    }
                    None => {
                        placed[step] = true;
                        order.push(step);
                    }
                }
            }
        }
        order
    }

    /// From the first step on, always the one that frees most; of equals, the one that became possible last.
    fn forwards(&self) -> Vec<usize> {
        let mut left = self.readers.clone();
        let gain = |left: &HashMap<Var, usize>, step: usize| {
            let freed: usize = self.reads(step).filter(|v| left[v] == 1).map(|v| self.len(v)).sum();
            freed as isize - self.len(self.steps[step].write) as isize
        };
        let done = |left: &mut HashMap<Var, usize>, step: usize| {
            self.reads(step).for_each(|v| *left.get_mut(&v).expect("every tensor read has readers") -= 1);
        };
        list(&self.before, &self.after, &mut left, gain, done)
    }

    /// From the last step back, always the one whose result, no longer needed before it, outweighs the operands
    /// that it is the first to ask for; of equals, the one that became possible last.
    fn backwards(&self) -> Vec<usize> {
        let mut live: HashSet<Var> = HashSet::new();
        let gain = |live: &HashSet<Var>, step: usize| {
            let asked: usize = self.reads(step).filter(|v| !live.contains(v)).map(|v| self.len(v)).sum();
            self.len(self.steps[step].write) as isize - asked as isize
        };
        let done = |live: &mut HashSet<Var>, step: usize| live.extend(self.reads(step));
        let mut order = list(&self.after, &self.before, &mut live, gain, done);
        order.reverse();
        order
    }
}

/// A list schedule: of the steps that nothing holds up, the one with the greatest gain, the latest such.
fn list<S>(
    before: &[Vec<usize>],
    after: &[Vec<usize>],
    state: &mut S,
    gain: impl Fn(&S, usize) -> isize,
    done: impl Fn(&mut S, usize),
) -> Vec<usize> {
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut ready: Vec<usize> = (0..before.len()).filter(|&i| waiting[i] == 0).collect();
    let mut order = Vec::with_capacity(before.len());
    while !ready.is_empty() {
        let best = (0..ready.len()).max_by_key(|&i| (gain(state, ready[i]), i)).expect("it is not empty");
        let step = ready.remove(best);
        done(state, step);
        order.push(step);
        for &next in &after[step] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(next);
            }
        }
    }
    order
}
