//! Sums of products by the letters of axes, as `bhid,bhjd->bhij`: a product of matrices between permutations.

use crate::nn::graph::{
    assemble::Assembly,
    extent::{Extent, flattened},
    op::Op,
};

/// Letters of each operand's axes, and of the result's. `...` is letters that no file can write.
fn letters(equation: &str, ranks: [usize; 2]) -> Result<[Vec<char>; 3], String> {
    let unknown = || format!("equation '{equation}': expected two operands and a result, as in bij,bjk->bik");
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (operands, result) = text.split_once("->").ok_or_else(unknown)?;
    let (a, b) = operands.split_once(',').filter(|(_, b)| !b.contains(',')).ok_or_else(unknown)?;
    // How many axes stand for the dots of an operand.
    let dots = |part: &str, rank: usize| {
        let named = part.replace("...", "").chars().count();
        if part.contains("...") { rank.checked_sub(named) } else { Some(0) }
    };
    let hidden = |n: usize| (0..n).rev().map(|i| char::from(b'0' + i as u8)).collect::<String>();
    let [dots_a, dots_b] = [dots(a, ranks[0]), dots(b, ranks[1])].map(|n| n.filter(|&n| n < 8));
    let (dots_a, dots_b) = dots_a.zip(dots_b).ok_or_else(unknown)?;
    let all = [(a, dots_a), (b, dots_b), (result, dots_a.max(dots_b))]
        .map(|(part, n)| part.replacen("...", &hidden(n), 1).chars().collect::<Vec<char>>());
    for (part, rank) in all.iter().zip([ranks[0], ranks[1], all[2].len()]) {
        let repeated = part.iter().enumerate().any(|(i, c)| part[..i].contains(c));
        if part.len() != rank || repeated || part.iter().any(|c| !c.is_ascii_alphanumeric()) {
            return Err(unknown());
        }
    }
    match all[2].iter().all(|c| all[0].contains(c) || all[1].contains(c)) {
        true => Ok(all),
        false => Err(unknown()),
    }
}

impl Assembly {
    pub(crate) fn einsum(&mut self, equation: &str, operands: [usize; 2]) -> Result<usize, String> {
        let [mut a, mut b, result] = letters(equation, operands.map(|node| self.shape(node).len()))?;
        let [mut x, mut y] = operands;
        x = self.summed(x, &mut a, |c| b.contains(c) || result.contains(c))?;
        y = self.summed(y, &mut b, |c| a.contains(c) || result.contains(c))?;
        let both = |c: &&char| a.contains(c) && b.contains(c);
        let outer: Vec<char> = result.iter().filter(both).copied().collect();
        let inner: Vec<char> = a.iter().filter(both).filter(|c| !result.contains(c)).copied().collect();
        let rows: Vec<char> = result.iter().filter(|c| !b.contains(c)).copied().collect();
        let columns: Vec<char> = result.iter().filter(|c| !a.contains(c)).copied().collect();
        let (x, left) = self.as_matrix(x, &a, [&outer, &rows, &inner])?;
        let (y, right) = self.as_matrix(y, &b, [&outer, &inner, &columns])?;
        let product = self.push(Op::Matmul, &[x, y])?;
        // The sizes of outer axes broadcast; those of rows and columns are the operands' own.
        let found = self.shape(product).to_vec();
        let sizes = [&found[..outer.len()], &left[1], &right[2]].concat();
        let apart = self.push(Op::Reshape(sizes), &[product])?;
        let order = [outer, rows, columns].concat();
        let place =
            |c: &char| order.iter().position(|other| other == c).expect("each letter is in one of them");
        self.push(Op::Permute(result.iter().map(place).collect()), &[apart])
    }

    /// Without the axes that nothing else names, which are summed.
    fn summed(
        &mut self,
        x: usize,
        letters: &mut Vec<char>,
        kept: impl Fn(&char) -> bool,
    ) -> Result<usize, String> {
        let axes: Vec<usize> = (0..letters.len()).filter(|&d| !kept(&letters[d])).collect();
        if axes.is_empty() {
            return Ok(x);
        }
        letters.retain(|c| kept(c));
        let sum = self.push(Op::Sum { axes: axes.clone() }, &[x])?;
        self.squeeze(sum, &axes)
    }

    /// Axes in the order of three groups, of which the last two become one axis each; and the sizes of each group.
    fn as_matrix(
        &mut self,
        x: usize,
        letters: &[char],
        groups: [&[char]; 3],
    ) -> Result<(usize, [Vec<Extent>; 3]), String> {
        let place = |c: &char| letters.iter().position(|other| other == c).expect("a letter of this operand");
        let order: Vec<usize> = groups.iter().copied().flatten().map(place).collect();
        let shape = self.shape(x).to_vec();
        let sizes = groups.map(|group| group.iter().map(|c| shape[place(c)]).collect::<Vec<Extent>>());
        let turned = self.push(Op::Permute(order), &[x])?;
        let flat = [&sizes[0][..], &[flattened(&sizes[1])?], &[flattened(&sizes[2])?]].concat();
        Ok((self.push(Op::Reshape(flat), &[turned])?, sizes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::graph::{extent::show, op::Constant};

    #[test]
    fn shapes_follow_from_the_letters() {
        let mut graph = Assembly::default();
        let x = graph.picture(&[1, 3, 4, 5]).unwrap();
        let w = Constant { shape: vec![7, 4], data: vec![1.0; 28].into() };
        let w = graph.constant(w).unwrap();
        for (equation, operands, shape) in [
            ("bchw,bdhw->bcd", [x, x], "(B, 3, 3)"),
            ("b c h w, k h -> b w k c", [x, w], "(B, 5, 7, 3)"),
            ("...hw,kh->...kw", [x, w], "(B, 3, 7, 5)"),
            ("bchw,kh->bk", [x, w], "(B, 7)"),
            ("bchw,bchw->bc", [x, x], "(B, 3)"),
        ] {
            let found = graph.einsum(equation, operands).unwrap();
            assert_eq!(show(graph.shape(found)), shape, "{equation}");
        }
        for wrong in ["bchw->bc", "bchw,kh", "bchw,kh->bz", "bbhw,kh->bk", "bch,kh->bk", "...hw,k...h->bk"] {
            assert!(graph.einsum(wrong, [x, w]).unwrap_err().contains("equation"), "{wrong}");
        }
        assert!(graph.einsum("bchw,kb->ck", [x, w]).is_err(), "it mixes pictures");
    }
}
