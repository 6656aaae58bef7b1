//! What a plan must hold so that no kernel can address an element outside its buffers.

use crate::plan::kernel::{Instr, Leaf, MAX_MAP_READS, Program, Source, View};

/// Elements that each buffer read by `program` over `dims` must have, or what is wrong.
pub(crate) fn program(program: &Program, dims: &[usize], in_place: bool) -> Result<Vec<usize>, String> {
    if program.code.is_empty() {
        return Err("an empty program".into());
    }
    for (i, instr) in program.code.iter().enumerate() {
        let valid = match *instr {
            Instr::Const(_) => true,
            Instr::Load(leaf) => leaf < program.leaves.len(),
            Instr::Unary(_, a) => a < i,
            Instr::Binary(_, a, b) => a < i && b < i,
            Instr::Select(mask, a, b) => mask < i && a < i && b < i,
        };
        if !valid {
            return Err(format!("instruction {i} ({instr:?}) uses what is not there"));
        }
    }
    let mut reads = Vec::new();
    for leaf in &program.leaves {
        let needed = leaf_len(leaf, dims, in_place)?;
        if let Source::Read(read) = leaf.source {
            if read >= MAX_MAP_READS {
                return Err(format!("{leaf:?} is past the {MAX_MAP_READS} buffers that a kernel may read"));
            }
            reads.resize(reads.len().max(read + 1), 0);
            reads[read] = needed.max(reads[read]);
        }
    }
    Ok(reads)
}

fn leaf_len(leaf: &Leaf, dims: &[usize], in_place: bool) -> Result<usize, String> {
    let View { offset, strides, valid } = &leaf.view;
    if strides.len() != dims.len() || valid.len() != dims.len() {
        return Err(format!("{leaf:?} is not a view of {dims:?}"));
    }
    if valid.iter().zip(dims).any(|(v, &n)| v[1] > n) {
        return Err(format!("{leaf:?} is valid outside {dims:?}"));
    }
    match leaf.source {
        Source::Ones => return Ok(0),
        Source::Output if in_place && leaf.view.is_identity(dims) => return Ok(0),
        Source::Output => return Err(format!("{leaf:?} reads the output other than in place")),
        Source::Read(_) => {}
    }
    if valid.iter().any(|v| v[0] >= v[1]) {
        return Ok(0);
    }
    let (mut low, mut high) = (*offset, *offset);
    for (&stride, v) in strides.iter().zip(valid) {
        let ends = [v[0] as isize * stride, (v[1] - 1) as isize * stride];
        low += ends[0].min(ends[1]);
        high += ends[0].max(ends[1]);
    }
    if low < 0 {
        return Err(format!("{leaf:?} reaches {low}, before its buffer"));
    }
    Ok(high as usize + 1)
}
