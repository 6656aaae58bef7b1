//! The reverse pass.

use super::{Tape, Var};

impl Tape {
    /// ∂(Σ y)/∂x for every `x` in `xs`, appended to the tape. Rows of `y` that do not depend on each
    /// other, such as trials, so get their own gradients. Works on its own result to any order.
    pub fn grad(&mut self, y: Var, xs: &[Var]) -> Vec<Var> {
        self.grad_holding(y, xs, &[])
    }

    /// The same with what `held` are taken for constants, whatever they were made of.
    pub fn grad_holding(&mut self, y: Var, xs: &[Var], held: &[Var]) -> Vec<Var> {
        let end = y.index() + 1;
        // Only nodes between xs and y get an adjoint: the second pass of double backprop would
        // otherwise compute gradients of the weights that nobody asked for.
        let mut depends = vec![false; end];
        xs.iter().filter(|x| x.index() < end).for_each(|x| depends[x.index()] = true);
        for i in 0..end {
            let made = self.nodes()[i].inputs.iter().any(|v| depends[v.index()]);
            depends[i] |= made && !held.iter().any(|held| held.index() == i);
        }

        let mut adjoint: Vec<Option<Var>> = vec![None; end];
        let shape = self.shape(y).to_vec();
        adjoint[y.index()] = Some(self.full(&shape, 1.0));
        for i in (0..end).rev() {
            let Some(g) = adjoint[i].filter(|_| depends[i]) else { continue };
            for (operand, input) in self.nodes()[i].inputs.clone().into_iter().enumerate() {
                if !depends[input.index()] {
                    continue;
                }
                if let Some(part) = self.derivative(Var(i as u32), operand, g) {
                    let slot = &mut adjoint[input.index()];
                    *slot = Some(match slot.take() {
                        Some(sum) => self.add(sum, part),
                        None => part,
                    });
                }
            }
        }

        xs.iter()
            .map(|&x| match adjoint.get(x.index()).copied().flatten() {
                Some(g) => g,
                None => {
                    let shape = self.shape(x).to_vec();
                    self.full(&shape, 0.0)
                }
            })
            .collect()
    }
}
