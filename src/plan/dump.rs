//! A plan in words: one line a step, and totals.

use std::{collections::HashMap, fmt::Write};

use super::{
    Plan,
    kernel::{BufferId, ConvKernel, Kernel, Source, Step},
};
use crate::tape::spec::ConvSpec;

/// Bytes of one element on the device.
pub(crate) const ELEMENT: u64 = 4;

/// Sums over the steps of one iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Without the prologue.
    pub steps: usize,
    /// Floating-point operations of matmuls and convolutions.
    pub contraction_flops: u64,
    /// All floating-point operations; a function counts as one.
    pub flops: u64,
    /// Bytes read and written, every operand counted once a step.
    pub bytes: u64,
    /// Bytes of all buffers.
    pub memory: u64,
    /// Steps of the prologue, which the sums leave out.
    pub prologue: usize,
    /// Bytes that the prologue reads and writes, once instead of in every iteration.
    pub prologue_bytes: u64,
    /// Maps whose one reader, another fused kernel over as many elements, could have evaluated them.
    pub unfused: usize,
}

impl Step {
    /// Name, as in the files of the kernel.
    pub fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Map(_) => "map",
            Kernel::MapReduce(_) => "map_reduce",
            Kernel::Matmul(_) => "matmul",
            Kernel::Conv2d(_) => "conv2d",
            Kernel::Conv2dGradInput(_) => "conv2d_grad_input",
            Kernel::Conv2dGradWeight(_) => "conv2d_grad_weight",
            Kernel::Conv2dSum(_) => "conv2d_sum",
            Kernel::Conv2dGradInputSum(_) => "conv2d_grad_input_sum",
            Kernel::WindowArgmax(_) => "window_argmax",
            Kernel::WindowGather(_) => "window_gather",
            Kernel::WindowScatter(_) => "window_scatter",
            Kernel::WindowSum(_) => "window_sum",
            Kernel::WindowSpread(_) => "window_spread",
            Kernel::Gather(_) => "gather",
            Kernel::ScatterAdd(_) => "scatter_add",
        }
    }

    /// True for matmul and the convolutions.
    pub fn is_contraction(&self) -> bool {
        matches!(
            self.kernel,
            Kernel::Matmul(_)
                | Kernel::Conv2d(_)
                | Kernel::Conv2dGradInput(_)
                | Kernel::Conv2dGradWeight(_)
                | Kernel::Conv2dSum(_)
                | Kernel::Conv2dGradInputSum(_)
        )
    }

    /// Floating-point operations.
    pub fn flops(&self) -> u64 {
        let window = |k: &super::kernel::WindowKernel| {
            let [oh, ow] = k.spec.output_size();
            (k.planes * oh * ow * k.spec.kernel[0] * k.spec.kernel[1]) as u64
        };
        match &self.kernel {
            Kernel::Map(k) => elements(&k.dims) * operations(&k.program),
            Kernel::MapReduce(k) => elements(&k.dims) * (operations(&k.program) + 1),
            Kernel::Matmul(k) => 2 * (k.trials * k.m * k.n * k.k) as u64,
            Kernel::Conv2d(k) | Kernel::Conv2dGradInput(k) | Kernel::Conv2dGradWeight(k) => {
                k.trials as u64 * k.spec.flops()
            }
            Kernel::Conv2dSum(k) | Kernel::Conv2dGradInputSum(k) => 2 * k.trials as u64 * k.spec.flops(),
            Kernel::WindowArgmax(k) | Kernel::WindowSum(k) | Kernel::WindowSpread(k) => window(k),
            Kernel::WindowGather(_) | Kernel::WindowScatter(_) | Kernel::Gather(_) => 0,
            Kernel::ScatterAdd(k) => (k.count * k.width) as u64,
        }
    }

    /// Bytes read and written, each operand counted once.
    pub fn bytes(&self) -> u64 {
        let window = |k: &super::kernel::WindowKernel, large: usize, small: usize| {
            let (size, output) = (k.spec.size, k.spec.output_size());
            k.planes * (large * size[0] * size[1] + small * output[0] * output[1])
        };
        let operand = |k: &ConvKernel, i: usize, len: usize| if k.shared[i] { len } else { k.trials * len };
        let forward = |k: &ConvKernel| operand(k, 0, k.spec.input_len()) + operand(k, 1, k.spec.weight_len());
        let backward =
            |k: &ConvKernel| operand(k, 0, k.spec.output_len()) + operand(k, 1, k.spec.weight_len());
        let touched = match &self.kernel {
            Kernel::Map(k) => leaves(&k.program, &k.dims) + k.dims.iter().product::<usize>(),
            Kernel::MapReduce(k) => leaves(&k.program, &k.dims) + k.dims[..k.outer].iter().product::<usize>(),
            Kernel::Matmul(k) => {
                let copies = |stride: usize| if stride == 0 { 1 } else { k.trials };
                copies(k.a.trial) * k.m * k.k + copies(k.b.trial) * k.k * k.n + k.trials * k.m * k.n
            }
            Kernel::Conv2d(k) => forward(k) + k.trials * k.spec.output_len(),
            Kernel::Conv2dGradInput(k) => backward(k) + k.trials * k.spec.input_len(),
            Kernel::Conv2dSum(k) => {
                k.parts().iter().map(forward).sum::<usize>() + k.trials * k.spec.output_len()
            }
            Kernel::Conv2dGradInputSum(k) => {
                k.parts().iter().map(backward).sum::<usize>() + k.trials * k.spec.input_len()
            }
            Kernel::Conv2dGradWeight(k) => {
                let s = &k.spec;
                operand(k, 0, s.input_len()) + operand(k, 1, s.output_len()) + k.trials * s.weight_len()
            }
            Kernel::WindowArgmax(k) | Kernel::WindowSum(k) | Kernel::WindowSpread(k) => window(k, 1, 1),
            Kernel::WindowGather(k) => window(k, 0, 3),
            Kernel::WindowScatter(k) => window(k, 1, 2),
            Kernel::Gather(k) => k.count * (1 + 2 * k.width),
            Kernel::ScatterAdd(k) => k.count * (1 + k.width) + k.rows * k.width,
        };
        touched as u64 * ELEMENT
    }

    fn detail(&self) -> String {
        match &self.kernel {
            Kernel::Map(k) => format!("{:?} {}", k.dims, fused(&k.program)),
            Kernel::MapReduce(k) => {
                let (kept, gone) = k.dims.split_at(k.outer);
                format!("{kept:?} ← {:?} over {gone:?} {}", k.reduce, fused(&k.program))
            }
            Kernel::Matmul(k) => format!("T={} M={} N={} K={}", k.trials, k.m, k.n, k.k),
            Kernel::Conv2d(k) | Kernel::Conv2dGradInput(k) | Kernel::Conv2dGradWeight(k) => {
                convolution(&k.spec, k.trials, &format!("{:?}", k.shared))
            }
            Kernel::Conv2dSum(k) | Kernel::Conv2dGradInputSum(k) => {
                convolution(&k.spec, k.trials, &format!("{:?}", k.shared))
            }
            Kernel::WindowArgmax(k)
            | Kernel::WindowGather(k)
            | Kernel::WindowScatter(k)
            | Kernel::WindowSum(k)
            | Kernel::WindowSpread(k) => {
                let s = &k.spec;
                format!("planes {} {:?} window {:?} stride {:?}", k.planes, s.size, s.kernel, s.stride)
            }
            Kernel::Gather(k) | Kernel::ScatterAdd(k) => {
                format!("table {}×{} count {}", k.rows, k.width, k.count)
            }
        }
    }
}

fn convolution(spec: &ConvSpec, trials: usize, shared: &str) -> String {
    let ConvSpec { batch, channels, outputs, size: [h, w], kernel: [kh, kw], .. } = spec;
    let [oh, ow] = spec.output_size();
    format!(
        "T={trials} B={batch} C={channels} {h}×{w} → O={outputs} {oh}×{ow} kernel {kh}×{kw} stride {:?} padding \
         {:?} dilation {:?} groups {} shared {shared}",
        spec.stride, spec.padding, spec.dilation, spec.groups
    )
}

/// Elements that a fused kernel reads: per buffer, those of its largest view.
fn leaves(program: &super::kernel::Program, dims: &[usize]) -> usize {
    let mut largest: HashMap<Source, usize> = HashMap::new();
    for leaf in program.leaves.iter().filter(|l| l.source != Source::Ones) {
        let walked = dims.iter().zip(&leaf.view.strides).filter(|(_, stride)| **stride != 0);
        let seen = largest.entry(leaf.source).or_default();
        *seen = (*seen).max(walked.map(|(n, _)| n).product());
    }
    largest.values().sum()
}

fn elements(dims: &[usize]) -> u64 {
    dims.iter().product::<usize>() as u64
}

fn operations(program: &super::kernel::Program) -> u64 {
    use super::kernel::Instr;
    program.code.iter().filter(|i| !matches!(i, Instr::Load(_) | Instr::Const(_))).count() as u64
}

fn fused(program: &super::kernel::Program) -> String {
    let in_place = program.leaves.iter().any(|l| l.source == Source::Output);
    format!(
        "{} ops of {} leaves{}",
        operations(program),
        program.leaves.len(),
        if in_place { ", in place" } else { "" }
    )
}

impl Plan {
    /// What one iteration computes and moves.
    pub fn totals(&self) -> Totals {
        let (prologue, steps) = self.steps.split_at(self.prologue);
        let mut totals = Totals { steps: steps.len(), unfused: self.unfused().len(), ..Totals::default() };
        for step in steps {
            totals.flops += step.flops();
            totals.bytes += step.bytes();
            if step.is_contraction() {
                totals.contraction_flops += step.flops();
            }
        }
        totals.memory = self.buffers.iter().map(|&n| n as u64 * ELEMENT).sum();
        totals.prologue = prologue.len();
        totals.prologue_bytes = prologue.iter().map(Step::bytes).sum();
        totals
    }

    /// A buffer as messages name it: its number, and the step that writes it.
    pub fn describe_buffer(&self, id: BufferId) -> String {
        match self.steps.iter().enumerate().find(|(_, step)| step.write == id) {
            Some((at, step)) => format!("buffer {id} (written by step {at}, {})", step.name()),
            None => format!("buffer {id} (an input or a literal)"),
        }
    }

    /// One line a step: kernel, shapes, FLOPs, bytes, buffers; then what was fused, and the totals.
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for (i, step) in self.steps.iter().enumerate() {
            let _ = writeln!(
                text,
                "{i:4}{} {:18} {:>12} FLOP {:>11} B  b{:?} → b{}  {}",
                if i < self.prologue { 'p' } else { ' ' },
                step.name(),
                step.flops(),
                step.bytes(),
                step.reads,
                step.write,
                step.detail()
            );
        }
        text += &self.report();
        let t = self.totals();
        let _ = writeln!(
            text,
            "{} steps, {:.3} MFLOP in contractions, {:.3} MFLOP in all, {:.3} MB moved, {:.3} MB of buffers, \
             unfused pointwise chains: {}",
            t.steps,
            t.contraction_flops as f64 / 1e6,
            t.flops as f64 / 1e6,
            t.bytes as f64 / 1e6,
            t.memory as f64 / 1e6,
            t.unfused
        );
        text
    }
}
