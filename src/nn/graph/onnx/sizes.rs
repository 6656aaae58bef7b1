//! Arithmetic of shapes: integers that a file computes from the shapes of its tensors, worked out while it is read.

use crate::nn::graph::{
    extent::{Asked, Extent},
    op::Constant,
};

/// An integer of which the batch may be a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Size {
    Number(i64),
    /// `outer·B·inner`
    Batch(Extent),
}

/// A scalar, a list of integers, or a matrix, as which paddings are turned round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sizes {
    pub values: Vec<Size>,
    pub scalar: bool,
    /// Columns of a matrix, row-major.
    pub columns: Option<usize>,
}

/// Longest list: a shape has a few numbers.
const MOST: usize = 4096;

impl Sizes {
    pub(crate) fn list(values: Vec<Size>) -> Result<Sizes, String> {
        match values.len() > MOST {
            true => Err(format!("{} integers, expected at most {MOST}", values.len())),
            false => Ok(Sizes { values, scalar: false, columns: None }),
        }
    }

    pub(crate) fn scalar(value: Size) -> Sizes {
        Sizes { values: vec![value], scalar: true, columns: None }
    }

    pub(crate) fn of_shape(shape: &[Extent]) -> Sizes {
        let size = |extent: &Extent| match extent {
            Extent::Fixed(n) => Size::Number(*n as i64),
            batch => Size::Batch(*batch),
        };
        Sizes { values: shape.iter().map(size).collect(), scalar: false, columns: None }
    }

    /// As a matrix of so many columns; `None` where they do not divide it.
    pub(crate) fn matrix(self, columns: usize) -> Option<Sizes> {
        let fits = columns > 0 && self.values.len().is_multiple_of(columns);
        fits.then_some(Sizes { scalar: false, columns: Some(columns), ..self })
    }

    /// The rows of a matrix in the other order.
    pub(crate) fn upside_down(self, columns: usize) -> Sizes {
        let values = self.values.chunks(columns).rev().flatten().copied().collect();
        Sizes { values, ..self }
    }

    pub(crate) fn transposed(self, columns: usize) -> Sizes {
        let rows = self.values.len() / columns;
        let values =
            (0..columns).flat_map(|j| (0..rows).map(move |i| i * columns + j)).map(|at| self.values[at]);
        Sizes { values: values.collect(), columns: Some(rows.max(1)), scalar: false }
    }

    /// The one integer, without the batch.
    pub(crate) fn one(&self) -> Option<i64> {
        match self.values[..] {
            [Size::Number(n)] => Some(n),
            _ => None,
        }
    }

    pub(crate) fn numbers(&self) -> Result<Vec<i64>, String> {
        let number = |size: &Size| match size {
            Size::Number(n) => Some(*n),
            Size::Batch(_) => None,
        };
        self.values
            .iter()
            .map(number)
            .collect::<Option<_>>()
            .ok_or_else(|| "an integer depends on the batch".into())
    }

    pub(crate) fn asked(&self) -> Result<Vec<Asked>, String> {
        let asked = |size: &Size| match *size {
            Size::Number(-1) => Ok(Asked::Rest),
            Size::Number(n) => usize::try_from(n).map(Asked::Number).map_err(|_| format!("a size of {n}")),
            Size::Batch(extent) => Ok(Asked::Known(extent)),
        };
        self.values.iter().map(asked).collect()
    }

    pub(crate) fn constant(&self) -> Result<Constant, String> {
        let data: Vec<f64> = self.numbers()?.into_iter().map(|n| n as f64).collect();
        let shape = match self.columns {
            Some(columns) => vec![data.len() / columns, columns],
            None if self.scalar => vec![],
            None => vec![data.len()],
        };
        Ok(Constant { shape, data: data.into() })
    }

    /// Element by element; one of length 1 serves for all.
    pub(crate) fn pair(&self, other: &Sizes, name: &str) -> Result<Sizes, String> {
        let (a, b) = (&self.values, &other.values);
        let len = match (a.len(), b.len()) {
            (m, n) if m == n => m,
            (1, n) => n,
            (m, 1) => m,
            (m, n) => return Err(format!("{m} and {n} integers")),
        };
        let at = |list: &[Size], i: usize| list[if list.len() == 1 { 0 } else { i }];
        let values = (0..len).map(|i| combine(name, at(a, i), at(b, i))).collect::<Result<_, _>>()?;
        Ok(Sizes { values, scalar: self.scalar && other.scalar, columns: None })
    }
}

fn combine(name: &str, a: Size, b: Size) -> Result<Size, String> {
    let known = match (name, a, b) {
        ("Add", Size::Number(a), Size::Number(b)) => a.checked_add(b),
        ("Sub", Size::Number(a), Size::Number(b)) => a.checked_sub(b),
        ("Mul", Size::Number(a), Size::Number(b)) => a.checked_mul(b),
        ("Div", Size::Number(a), Size::Number(b)) => a.checked_div(b),
        // The sign is the divisor's.
        ("Mod", Size::Number(a), Size::Number(b)) => {
            a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        ("Equal", a, b) => Some(i64::from(a == b)),
        ("Mul", Size::Batch(batch), Size::Number(n)) | ("Mul", Size::Number(n), Size::Batch(batch)) => {
            let Extent::Pictures { outer, inner } = batch else { unreachable!("a batch") };
            let inner = usize::try_from(n).ok().and_then(|n| inner.checked_mul(n));
            return inner
                .map(|inner| Size::Batch(Extent::Pictures { outer, inner }))
                .ok_or("a size below 0".into());
        }
        ("Div", Size::Batch(Extent::Pictures { outer, inner }), Size::Number(n)) => {
            let inner =
                usize::try_from(n).ok().filter(|&n| n > 0 && inner.is_multiple_of(n)).map(|n| inner / n);
            let whole = inner.map(|inner| Size::Batch(Extent::Pictures { outer, inner }));
            return whole.ok_or("a share of the batch".into());
        }
        _ => None,
    };
    known.map(Size::Number).ok_or_else(|| format!("{name} of {a:?} and {b:?}"))
}
