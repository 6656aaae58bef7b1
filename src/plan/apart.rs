//! Sums of convolutions for devices whose kernels take one pair of operands.

use super::{
    Plan,
    kernel::{
        BufferId, ConvKernel, ConvSumKernel, Instr, Kernel, Leaf, MapKernel, Program, Source, Step, View,
    },
};
use crate::tape::op::Binary;

impl Plan {
    /// The same plan with every sum of two convolutions as two convolutions and an addition.
    pub fn with_sums_apart(&self) -> Plan {
        let mut plan = Plan { steps: Vec::with_capacity(self.steps.len()), ..self.clone() };
        let parts = [self.buffers.len(), self.buffers.len() + 1];
        let mut longest = 0;
        for (i, step) in self.steps.iter().enumerate() {
            let (kernel, one, len): (_, fn(ConvKernel) -> Kernel, _) = match &step.kernel {
                Kernel::Conv2dSum(k) => (k, Kernel::Conv2d, k.spec.output_len()),
                Kernel::Conv2dGradInputSum(k) => (k, Kernel::Conv2dGradInput, k.spec.input_len()),
                _ => {
                    plan.steps.push(step.clone());
                    continue;
                }
            };
            let len = kernel.trials * len;
            longest = longest.max(len);
            plan.steps.extend(taken_apart(step, kernel, one, parts, len));
            if i < self.prologue {
                plan.prologue += 2;
            }
        }
        if longest > 0 {
            plan.buffers.extend([longest; 2]);
        }
        plan
    }
}

fn taken_apart(
    step: &Step,
    kernel: &ConvSumKernel,
    one: fn(ConvKernel) -> Kernel,
    parts: [BufferId; 2],
    len: usize,
) -> [Step; 3] {
    let [first, second] = kernel.parts().map(one);
    let leaf = |i: usize| Leaf { source: Source::Read(i), view: View::contiguous(&[len]) };
    let code = vec![Instr::Load(0), Instr::Load(1), Instr::Binary(Binary::Add, 0, 1)];
    let sum = MapKernel { dims: vec![len], program: Program { leaves: vec![leaf(0), leaf(1)], code } };
    [
        Step { kernel: first, reads: step.reads[..2].to_vec(), write: parts[0] },
        Step { kernel: second, reads: step.reads[2..].to_vec(), write: parts[1] },
        Step { kernel: Kernel::Map(sum), reads: parts.to_vec(), write: step.write },
    ]
}
