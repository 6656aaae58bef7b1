//! What a plan asks a device to do: one [`Step`] is one kernel over whole buffers.
//!
//! Every tensor in a buffer is row-major and starts at element 0. A step never reads the buffer it
//! writes, except a [`MapKernel`] through [`Source::Output`].

use crate::tape::{
    op::{Binary, Reduce, Unary},
    spec::{ConvSpec, WindowSpec},
};

/// Index into [`super::Plan::buffers`].
pub type BufferId = usize;

/// Distinct buffers that a fused kernel may read; one more is written.
pub const MAX_MAP_READS: usize = 6;

/// Most loop trips that one invocation may be asked for (drivers may cut longer loops short).
pub const MAX_TRIPS: usize = 60_000;

/// One kernel with its buffers.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is computed.
    pub kernel: Kernel,
    /// Distinct for `Map` and `MapReduce`; the two operands in order for everything else.
    pub reads: Vec<BufferId>,
    /// The buffer of the result.
    pub write: BufferId,
}

/// What a step computes, with its sizes.
#[derive(Clone, Debug)]
pub enum Kernel {
    /// reads what its program's leaves say
    Map(MapKernel),
    /// reads what its program's leaves say
    MapReduce(MapReduceKernel),
    /// reads a, b
    Matmul(MatmulKernel),
    /// reads x, w
    Conv2d(ConvKernel),
    /// reads g, w
    Conv2dGradInput(ConvKernel),
    /// reads x, g
    Conv2dGradWeight(ConvKernel),
    /// reads x, v, u, w: x*v + u*w
    Conv2dSum(ConvSumKernel),
    /// reads g, v, h, w: the gradients by x of ⟨x*v, g⟩ + ⟨x*w, h⟩
    Conv2dGradInputSum(ConvSumKernel),
    /// reads x
    WindowArgmax(WindowKernel),
    /// reads x, index
    WindowGather(WindowKernel),
    /// reads g, index
    WindowScatter(WindowKernel),
    /// reads x
    WindowSum(WindowKernel),
    /// reads g
    WindowSpread(WindowKernel),
    /// reads table, index
    Gather(GatherKernel),
    /// reads values, index
    ScatterAdd(GatherKernel),
}

impl Kernel {
    /// Elements that the kernel writes.
    pub fn output_len(&self) -> usize {
        let small = |k: &WindowKernel| k.planes * k.spec.output_size().iter().product::<usize>();
        let large = |k: &WindowKernel| k.planes * k.spec.size.iter().product::<usize>();
        match self {
            Kernel::Map(k) => product(&k.dims),
            Kernel::MapReduce(k) => product(&k.dims[..k.outer.min(k.dims.len())]),
            Kernel::Matmul(k) => k.trials * k.m * k.n,
            Kernel::Conv2d(k) => k.trials * k.spec.output_len(),
            Kernel::Conv2dGradInput(k) => k.trials * k.spec.input_len(),
            Kernel::Conv2dGradWeight(k) => k.trials * k.spec.weight_len(),
            Kernel::Conv2dSum(k) => k.trials * k.spec.output_len(),
            Kernel::Conv2dGradInputSum(k) => k.trials * k.spec.input_len(),
            Kernel::WindowArgmax(k) | Kernel::WindowGather(k) | Kernel::WindowSum(k) => small(k),
            Kernel::WindowScatter(k) | Kernel::WindowSpread(k) => large(k),
            Kernel::Gather(k) => k.count * k.width,
            Kernel::ScatterAdd(k) => k.rows * k.width,
        }
    }
}

/// Elements of a shape, or more than any memory holds.
fn product(dims: &[usize]) -> usize {
    dims.iter().fold(1, |product: usize, &n| product.saturating_mul(n))
}

/// A fused pointwise expression, evaluated at every point of an index space.
/// The output is row-major over `dims`.
#[derive(Clone, Debug)]
pub struct MapKernel {
    /// Sizes of the index space, and of the output.
    pub dims: Vec<usize>,
    /// What is computed at each point.
    pub program: Program,
}

/// A fused expression reduced over the trailing axes of its index space.
/// The output is row-major over `dims[..outer]`.
#[derive(Clone, Debug)]
pub struct MapReduceKernel {
    /// Sizes of the index space.
    pub dims: Vec<usize>,
    /// How many leading axes are kept.
    pub outer: usize,
    /// How the values of the other axes are combined.
    pub reduce: Reduce,
    /// What is computed at each point.
    pub program: Program,
}

/// Straight-line code: instruction `i` defines value `i`, operands are earlier values, the last
/// value is the result. `Instr::Load(l)` reads `leaves[l]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// What it reads.
    pub leaves: Vec<Leaf>,
    /// One instruction a value.
    pub code: Vec<Instr>,
}

/// One instruction of a [`Program`]; operands are numbers of earlier values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instr {
    /// A leaf's element at the point.
    Load(usize),
    /// The same number everywhere.
    Const(f64),
    /// A function of one value.
    Unary(Unary, usize),
    /// A function of two values.
    Binary(Binary, usize, usize),
    /// mask, where ≠ 0, where 0
    Select(usize, usize, usize),
}

/// One operand of a fused expression: where it is stored and how the index space maps onto it.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Where it is stored.
    pub source: Source,
    /// Which element each point reads.
    pub view: View,
}

/// What a leaf reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Index into [`Step::reads`].
    Read(usize),
    /// The constant 1: with a view's bounds, the mask of a padded region.
    Ones,
    /// The buffer being written, updated in place. Only in a `Map`, only through the identity view.
    Output,
}

/// Affine map from an index space to a buffer: the element at coordinates `c` is
/// `offset + Σ c[d]·strides[d]`, or 0 if some `c[d]` lies outside `valid[d]`.
/// Addresses are in range wherever all coordinates are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Address of the element at coordinates 0.
    pub offset: isize,
    /// Distance of neighbours along each axis, in elements; 0 where they share one.
    pub strides: Vec<isize>,
    /// Half-open interval of each coordinate; the full axis where nothing is padded.
    pub valid: Vec<[usize; 2]>,
}

impl View {
    /// The row-major view of a tensor of shape `dims`.
    pub fn contiguous(dims: &[usize]) -> Self {
        let mut strides = vec![0isize; dims.len()];
        let mut step = 1isize;
        for d in (0..dims.len()).rev() {
            strides[d] = if dims[d] == 1 { 0 } else { step };
            step *= dims[d] as isize;
        }
        View { offset: 0, strides, valid: dims.iter().map(|&n| [0, n]).collect() }
    }

    /// True if no coordinate of `dims` falls outside the valid region.
    pub fn is_unpadded(&self, dims: &[usize]) -> bool {
        self.valid.iter().zip(dims).all(|(v, &n)| v[0] == 0 && v[1] == n)
    }

    /// True if element `i` of the index space (row-major) is element `i` of the buffer.
    pub fn is_identity(&self, dims: &[usize]) -> bool {
        *self == View::contiguous(dims)
    }
}

/// `c[t,i,j] = Σ_k a[t,i,k]·b[t,k,j]`, c row-major `(T,M,N)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatmulKernel {
    /// `T`
    pub trials: usize,
    /// `M`: rows of a and c.
    pub m: usize,
    /// `N`: columns of b and c.
    pub n: usize,
    /// `K`: columns of a and rows of b.
    pub k: usize,
    /// `(T,M,K)`
    pub a: MatrixView,
    /// `(T,K,N)`
    pub b: MatrixView,
}

/// Element `(t,row,col)` is `offset + t·trial + row·row + col·col`; a stride is 0 where shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatrixView {
    /// Address of the first element.
    pub offset: usize,
    /// From one trial to the next.
    pub trial: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub col: usize,
}

/// One of the three convolutions for `trials` problems. `shared[i]`: operand `i` is stored once
/// and used by every trial (stride 0 on the trial axis).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvKernel {
    /// All sizes of one trial.
    pub spec: ConvSpec,
    /// `T`
    pub trials: usize,
    /// In the order of the step's reads.
    pub shared: [bool; 2],
}

/// Two convolutions, or two gradients by x, of one spec, added: one contraction over both's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSumKernel {
    /// All sizes of one trial, and of each of the two.
    pub spec: ConvSpec,
    /// `T`
    pub trials: usize,
    /// Of each pair of operands, as in [`ConvKernel`].
    pub shared: [[bool; 2]; 2],
}

impl ConvSumKernel {
    /// The two that are added.
    pub fn parts(&self) -> [ConvKernel; 2] {
        self.shared.map(|shared| ConvKernel { spec: self.spec, trials: self.trials, shared })
    }
}

/// Pooling windows over the last two axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowKernel {
    /// Sizes of a plane and of its windows.
    pub spec: WindowSpec,
    /// Product of all axes before the last two.
    pub planes: usize,
}

/// `table (rows, width)`, `index (count)`, `values (count, width)`.
/// Indices are whole numbers stored as floats; one outside the table reads zeros and adds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherKernel {
    /// Rows of the table.
    pub rows: usize,
    /// Elements of a row.
    pub width: usize,
    /// Indices.
    pub count: usize,
}
