//! A fused expression as WGSL text. Structure (which strides are 0, which axes are bounded, the
//! instructions) is in the text; sizes, strides, offsets and bounds are parameters, so that expressions
//! of equal structure share a pipeline.

use std::{fmt::Write, ops::Range};

use super::{
    super::wgsl::{Values, Words},
    space::Space,
};
use crate::{
    plan::kernel::{Instr, Leaf, Program, Source, View},
    tape::op::{Binary, Unary},
};

pub(crate) struct Expression<'a> {
    pub space: Space,
    program: &'a Program,
    /// Members of the shader's `Params`, and their values.
    fields: Vec<(String, u32)>,
}

impl<'a> Expression<'a> {
    pub(crate) fn new(dims: &[usize], outer: usize, program: &'a Program) -> Self {
        let space = Space::new(dims, outer, program);
        // Addresses wrap, so a negative stride is its two's complement.
        let mut fields: Vec<_> =
            space.dims.iter().enumerate().map(|(d, &n)| (format!("n{d}"), n as u32)).collect();
        for (l, view) in space.views.iter().enumerate() {
            fields.push((format!("at{l}"), view.offset as u32));
            for (d, (&stride, valid)) in view.strides.iter().zip(&view.valid).enumerate() {
                if stride != 0 {
                    fields.push((format!("step{l}_{d}"), stride as u32));
                }
                if *valid != [0, space.dims[d]] {
                    fields.push((format!("low{l}_{d}"), valid[0] as u32));
                    fields.push((format!("span{l}_{d}"), valid[1].saturating_sub(valid[0]) as u32));
                }
            }
        }
        Expression { space, program, fields }
    }

    /// The words of a shader that reads so many buffers. The names of the indices of kept elements and of reduced
    /// ones, and the indents of the two places where they are used.
    pub(crate) fn words(
        &self,
        reads: usize,
        [kept, reduced]: [&str; 2],
        [outside, inside]: [&str; 2],
    ) -> Words {
        let fields: String = self.fields.iter().map(|(name, _)| format!("    {name}: u32,\n")).collect();
        let read = |i| format!("@group(0) @binding({}) var<storage, read> read{i}: array<f32>;\n", i + 1);
        Words::new()
            .set("FIELDS", fields)
            .set("READS", (0..reads).map(read).collect::<String>())
            .set("RESULT", reads + 1)
            .set("PREPARE", self.prepare(kept, outside))
            .set("EVALUATE", self.evaluate(reduced, inside))
            .set("VALUE", format!("v{}", self.program.code.len().saturating_sub(1)))
    }

    /// The values of its own parameters.
    pub(crate) fn params(&self) -> Values {
        let fields = self.fields.iter();
        fields.fold(Values::default(), |values, (name, value)| values.set(name, *value))
    }

    /// What depends on the kept coordinates only: those, and each leaf's address and bounds so far.
    fn prepare(&self, index: &str, indent: &str) -> String {
        let kept = 0..self.space.outer;
        let mut text = self.coordinates(kept.clone(), index, indent);
        for (l, (leaf, view)) in self.leaves().enumerate() {
            if self.is_identity(view) {
                continue;
            }
            if leaf.source != Source::Ones {
                let address = format!("p.at{l}{}", self.steps(l, kept.clone()));
                let _ = writeln!(text, "{indent}let base{l} = {address};");
            }
            if let Some(condition) = self.bounds(l, kept.clone()) {
                let _ = writeln!(text, "{indent}let inside{l} = {condition};");
            }
        }
        text
    }

    /// The rest: reduced coordinates, loads, instructions `v0`, `v1` …
    fn evaluate(&self, index: &str, indent: &str) -> String {
        let mut text = self.coordinates(self.space.outer..self.space.dims.len(), index, indent);
        for (i, instr) in self.program.code.iter().enumerate() {
            let line = match *instr {
                Instr::Load(leaf) => self.load(i, leaf, indent),
                Instr::Const(c) => format!("let v{i} = {}; // {:?}", constant(c), c as f32),
                Instr::Unary(op, a) => format!("let v{i} = {};", unary(op, a)),
                Instr::Binary(op, a, b) => format!("let v{i} = {};", binary(op, a, b)),
                Instr::Select(mask, a, b) => format!("let v{i} = select(v{b}, v{a}, is_nonzero(v{mask}));"),
            };
            let _ = writeln!(text, "{indent}{line}");
        }
        text
    }

    fn leaves(&self) -> impl Iterator<Item = (&Leaf, &View)> {
        self.program.leaves.iter().zip(&self.space.views)
    }

    fn is_identity(&self, view: &View) -> bool {
        view.is_identity(&self.space.dims)
    }

    /// Coordinates `c` of these axes from their row-major index.
    fn coordinates(&self, axes: Range<usize>, index: &str, indent: &str) -> String {
        let mut text = String::new();
        if self.space.views.iter().all(|view| self.is_identity(view)) {
            return text;
        }
        let mut rest = index.to_string();
        for d in axes.clone().rev() {
            if d == axes.start {
                let _ = writeln!(text, "{indent}let c{d} = {rest};");
            } else {
                let _ = writeln!(text, "{indent}let c{d} = {rest} % p.n{d};");
                let _ = writeln!(text, "{indent}let q{d} = {rest} / p.n{d};");
                rest = format!("q{d}");
            }
        }
        text
    }

    /// ` + c·stride` for each of these axes along which the leaf moves.
    fn steps(&self, leaf: usize, axes: Range<usize>) -> String {
        let strides = &self.space.views[leaf].strides;
        axes.filter(|&d| strides[d] != 0).map(|d| format!(" + c{d} * p.step{leaf}_{d}")).collect()
    }

    /// Whether these coordinates lie in the leaf's valid region; none if they always do.
    fn bounds(&self, leaf: usize, axes: Range<usize>) -> Option<String> {
        let valid = &self.space.views[leaf].valid;
        let tests: Vec<_> = axes
            .filter(|&d| valid[d] != [0, self.space.dims[d]])
            .map(|d| format!("c{d} - p.low{leaf}_{d} < p.span{leaf}_{d}"))
            .collect();
        (!tests.is_empty()).then(|| tests.join(" && "))
    }

    fn load(&self, i: usize, leaf: usize, indent: &str) -> String {
        let (source, view) = (self.program.leaves[leaf].source, &self.space.views[leaf]);
        let reduced = self.space.outer..self.space.dims.len();
        let kept_bounds = self.bounds(leaf, 0..self.space.outer).map(|_| format!("inside{leaf}"));
        let bounds: Vec<_> = kept_bounds.into_iter().chain(self.bounds(leaf, reduced.clone())).collect();
        let bounds = bounds.join(" && ");
        let address = match self.is_identity(view) {
            true => "i".into(),
            false => format!("base{leaf}{}", self.steps(leaf, reduced)),
        };
        let element = match source {
            Source::Read(read) => format!("read{read}[{address}]"),
            Source::Output => format!("result[{address}]"),
            Source::Ones => constant(1.0),
        };
        match bounds.is_empty() {
            true => format!("let v{i} = {element};"),
            false => format!(
                "var v{i} = 0.0;\n{indent}if ({bounds}) {{\n{indent}    v{i} = {element};\n{indent}}}"
            ),
        }
    }
}

/// By its bits: exact, and the same form for infinities and NaN.
fn constant(value: f64) -> String {
    format!("from_bits({:#010x}u)", (value as f32).to_bits())
}

/// Repeated multiplication by squaring; a negative power is the reciprocal.
fn power(x: &str, n: i32) -> String {
    fn positive(x: &str, n: u32) -> String {
        match n {
            0 => constant(1.0),
            1 => x.into(),
            _ if n.is_multiple_of(2) => format!("square({})", positive(x, n / 2)),
            _ => format!("{} * {x}", positive(x, n - 1)),
        }
    }
    let positive = positive(x, n.unsigned_abs());
    if n < 0 { format!("1.0 / ({positive})") } else { positive }
}

fn unary(op: Unary, a: usize) -> String {
    let function = match op {
        Unary::Neg => return format!("-v{a}"),
        Unary::Powi(n) => return power(&format!("v{a}"), n),
        Unary::Exp => "exponential",
        Unary::Log => "logarithm",
        Unary::Sqrt => "square_root",
        Unary::Rsqrt => "reciprocal_root",
        Unary::Tanh => "hyperbolic_tangent",
        Unary::Sigmoid => "logistic",
        Unary::Erf => "error_function",
        Unary::Abs => "abs",
        Unary::Step => "step_above_zero",
        Unary::Sign => "sign_of",
    };
    format!("{function}(v{a})")
}

fn binary(op: Binary, a: usize, b: usize) -> String {
    match op {
        Binary::Add => format!("v{a} + v{b}"),
        Binary::Sub => format!("v{a} - v{b}"),
        Binary::Mul => format!("v{a} * v{b}"),
        Binary::Div => format!("quotient(v{a}, v{b})"),
        Binary::Max => format!("maximum(v{a}, v{b})"),
        Binary::Min => format!("minimum(v{a}, v{b})"),
        Binary::Less => format!("less(v{a}, v{b})"),
        Binary::Equal => format!("equal(v{a}, v{b})"),
    }
}
