//! Single operations: value, gradient and second derivative of every case in `ops.safetensors`.
//!
//! The fixture holds y = f(inputs), gᵢ = ∂s/∂inputᵢ with s = Σ v·y², and ∂h/∂inputᵢ with h = Σᵢ Σ gᵢ².

use std::collections::{BTreeMap, BTreeSet};

use gia_gpu::tape::{Tape, Var};
use serde_json::Value;

use super::layers;
use crate::{
    common::{Reference, fixture, metadata},
    devices::targets,
};

/// One case on a tape.
pub(crate) struct Case {
    pub tape: Tape,
    /// Inputs and constants by name, in PyTorch's shapes.
    pub vars: BTreeMap<String, Var>,
    /// Labels by name: whole numbers that are not on the tape.
    pub labels: Vec<usize>,
    sizes: Value,
}

impl Case {
    /// A pair from the metadata, such as a stride.
    pub(crate) fn pair(&self, name: &str) -> Option<[usize; 2]> {
        let list = self.sizes.get(name)?.as_array().unwrap();
        Some([0, 1].map(|i| list[i].as_u64().unwrap() as usize))
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.sizes.get(name)?.as_f64()
    }
}

fn total(tape: &mut Tape, x: Var) -> Var {
    let axes: Vec<_> = (0..tape.shape(x).len()).collect();
    let sum = tape.sum(x, &axes);
    tape.reshape(sum, &[])
}

fn check(name: &str, sizes: &str, ops: &BTreeMap<String, Reference>) {
    let mut case = Case {
        tape: Tape::new(),
        vars: BTreeMap::new(),
        labels: vec![],
        sizes: serde_json::from_str(sizes).unwrap(),
    };
    let (mut inputs, mut differentiated) = (vec![], vec![]);
    for (key, value) in ops {
        let Some((owner, rest)) = key.split_once('.') else { continue };
        let Some((kind @ ("in" | "const"), of)) = rest.split_once('.') else { continue };
        if owner != name {
            continue;
        }
        if of == "labels" {
            case.labels = value.data.iter().map(|&l| l as usize).collect();
            continue;
        }
        let var = case.tape.input(&value.shape);
        inputs.push((var, value.data.clone()));
        case.vars.insert(of.into(), var);
        if kind == "in" {
            differentiated.push((of, var));
        }
    }
    let y = layers::build(name, &mut case);
    let t = &mut case.tape;
    let cotangent = &ops[&format!("{name}.v")];
    assert_eq!(t.shape(y), ops[&format!("{name}.out")].shape, "{name}");
    let v = t.input(&cotangent.shape);
    inputs.push((v, cotangent.data.clone()));

    let xs: Vec<Var> = differentiated.iter().map(|d| d.1).collect();
    let square = t.mul(y, y);
    let weighted = t.mul(v, square);
    let s = total(t, weighted);
    let first = t.grad(s, &xs);
    let mut h = t.scalar(0.0);
    for &g in &first {
        let square = t.mul(g, g);
        let part = total(t, square);
        h = t.add(h, part);
    }
    let second = t.grad(h, &xs);

    let mut keep = vec![(format!("{name}.out"), y)];
    for (i, (of, _)) in differentiated.iter().enumerate() {
        keep.push((format!("{name}.grad.{of}"), first[i]));
        keep.push((format!("{name}.second.{of}"), second[i]));
    }
    let vars: Vec<Var> = keep.iter().map(|k| k.1).collect();
    for target in targets() {
        let values = target.evaluate(&case.tape, &vars, &inputs);
        for ((key, _), found) in keep.iter().zip(values) {
            target.assert_close(key, &found, &ops[key].data);
        }
    }
}

#[test]
fn values_and_first_and_second_derivatives_of_every_operation_equal_those_of_pytorch() {
    let (ops, metadata) = (fixture("ops"), metadata("ops"));
    let names: BTreeSet<&str> = ops.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        check(name, &metadata[name], &ops);
    }
}
