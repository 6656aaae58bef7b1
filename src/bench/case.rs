//! One kernel with its operands, at the size of a real attack.

use super::BenchError;
use crate::{
    device::{Device, DeviceError, Executable},
    plan::{
        Plan,
        kernel::{
            ConvKernel, Instr, Kernel, Leaf, MapKernel, MapReduceKernel, MatmulKernel, MatrixView, Program,
            Source, Step, View, WindowKernel,
        },
    },
    tape::{
        Var,
        op::{Binary, Reduce, Unary},
        spec::{ConvSpec, WindowSpec},
    },
};

/// One kernel with its operands.
#[derive(Clone, Debug)]
pub struct Case {
    /// Sizes of its operands, in words.
    pub shape: String,
    kernel: Kernel,
    /// Elements of each operand.
    reads: Vec<usize>,
    written: usize,
}

/// A kernel that a device compiled, its operands written.
pub struct CompiledCase {
    executable: Box<dyn Executable>,
    /// An element to wait on: the result is large.
    wait: Var,
}

impl Case {
    /// `trials` products of `m × k` by `k × n`.
    pub fn matmul([trials, m, k, n]: [usize; 4]) -> Case {
        let a = MatrixView { offset: 0, trial: m * k, row: k, col: 1 };
        let b = MatrixView { offset: 0, trial: k * n, row: n, col: 1 };
        Case {
            shape: format!("T={trials} {m}×{k}×{n}"),
            kernel: Kernel::Matmul(MatmulKernel { trials, m, n, k, a, b }),
            reads: vec![trials * m * k, trials * k * n],
            written: trials * m * n,
        }
    }

    /// A convolution of square pictures, and its gradients by input and weight: trials, batch, channels, outputs,
    /// sides of the pictures and of the kernel, stride; half a kernel of padding.
    pub fn convolutions([trials, batch, channels, outputs, size, kernel, stride]: [usize; 7]) -> [Case; 3] {
        let spec = ConvSpec {
            batch,
            channels,
            outputs,
            size: [size; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let shape =
            format!("T={trials} B={batch} {channels}→{outputs} {kernel}×{kernel}/{stride} on {size}×{size}");
        // The weights are all trials' in the forward pass; each has a gradient of its own.
        let shared = ConvKernel { spec, trials, shared: [false, true] };
        let own = ConvKernel { shared: [false; 2], ..shared };
        let (x, w, g) = (trials * spec.input_len(), spec.weight_len(), trials * spec.output_len());
        let kernels = [
            (Kernel::Conv2d(shared), vec![x, w], g),
            (Kernel::Conv2dGradInput(shared), vec![g, w], x),
            (Kernel::Conv2dGradWeight(own), vec![x, g], trials * w),
        ];
        kernels.map(|(kernel, reads, written)| Case { shape: shape.clone(), kernel, reads, written })
    }

    /// A program over operands of the index space's length.
    pub fn map(name: &str, dims: &[usize], program: Program) -> Case {
        let len = dims.iter().product();
        Case {
            shape: format!("{name}, {len} elements"),
            reads: vec![len; program.leaves.len()],
            kernel: Kernel::Map(MapKernel { dims: dims.to_vec(), program }),
            written: len,
        }
    }

    /// The sum of a program over all axes but the first `outer`.
    pub fn sum(name: &str, dims: &[usize], outer: usize, program: Program) -> Case {
        let len = dims.iter().product();
        let dims = dims.to_vec();
        Case {
            shape: format!("{name}, {len} elements"),
            reads: vec![len; program.leaves.len()],
            written: dims[..outer].iter().product(),
            kernel: Kernel::MapReduce(MapReduceKernel { dims, outer, reduce: Reduce::Sum, program }),
        }
    }

    /// Every kernel of pooling.
    pub fn windows(spec: WindowSpec, planes: usize) -> [Case; 5] {
        let window = WindowKernel { spec, planes };
        let WindowSpec { size: [h, w], kernel: [kh, kw], stride, .. } = spec;
        let (input, output) = (planes * h * w, planes * spec.output_size().iter().product::<usize>());
        let kernels = [
            (Kernel::WindowArgmax(window), vec![input], output),
            (Kernel::WindowGather(window), vec![input, output], output),
            (Kernel::WindowScatter(window), vec![output, output], input),
            (Kernel::WindowSum(window), vec![input], output),
            (Kernel::WindowSpread(window), vec![output], input),
        ];
        let shape = format!("{kh}×{kw}/{} on {planes} planes of {h}×{w}", stride[0]);
        kernels.map(|(kernel, reads, written)| Case { shape: shape.clone(), kernel, reads, written })
    }

    /// As the kernel's files are called.
    pub fn name(&self) -> &'static str {
        self.step().name()
    }

    /// Floating-point operations of the plain algorithm.
    pub fn flops(&self) -> u64 {
        self.step().flops()
    }

    /// Bytes of the operands and the result, each counted once.
    pub fn bytes(&self) -> u64 {
        self.step().bytes()
    }

    fn step(&self) -> Step {
        let reads = self.reads.len();
        Step { kernel: self.kernel.clone(), reads: (0..reads).collect(), write: reads }
    }

    /// Compiles the kernel alone and writes numbers in [−½, ½) to its operands.
    pub fn compile(&self, device: &dyn Device) -> Result<CompiledCase, BenchError> {
        let buffers = [&self.reads[..], &[self.written, 1]].concat();
        let wait = Var::from_index(buffers.len() - 1);
        let mut executable = device.compile(&Plan::by_hand(vec![self.step()], buffers))?;
        for (id, &len) in self.reads.iter().enumerate() {
            let values: Vec<f32> = (0..len).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
            executable.write(Var::from_index(id), &values)?;
        }
        Ok(CompiledCase { executable, wait })
    }
}

impl CompiledCase {
    /// Runs so many replays and waits for the last.
    pub fn run(&mut self, replays: usize) -> Result<(), DeviceError> {
        self.executable.run(replays)?;
        self.executable.read(self.wait).map(drop)
    }
}

/// `a·b + c` over three operands of the index space's shape, then perhaps a function of it.
pub fn fused(dims: &[usize], function: Option<Unary>) -> Program {
    let leaf = |read| Leaf { source: Source::Read(read), view: View::contiguous(dims) };
    let mut code = vec![
        Instr::Load(0),
        Instr::Load(1),
        Instr::Load(2),
        Instr::Binary(Binary::Mul, 0, 1),
        Instr::Binary(Binary::Add, 3, 2),
    ];
    code.extend(function.map(|function| Instr::Unary(function, 4)));
    Program { leaves: vec![leaf(0), leaf(1), leaf(2)], code }
}

/// The square of one operand that is read so.
pub fn square(view: View) -> Program {
    let code = vec![Instr::Load(0), Instr::Binary(Binary::Mul, 0, 0)];
    Program { leaves: vec![Leaf { source: Source::Read(0), view }], code }
}

/// A matrix that lies column by column, as `rows × columns`.
pub fn transposed([rows, columns]: [usize; 2]) -> View {
    View { strides: vec![1, rows as isize], ..View::contiguous(&[rows, columns]) }
}
