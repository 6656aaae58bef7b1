//! Whether restored inputs switch on the units that the gradient says they did.

use super::matrix::Matrix;

/// For each picture: of the units where its column of D is not 0, the share where ReLU's input is above 0. 1 for the true
/// pictures, about a half for wrong ones. `outer`: D `(m, r)`; `nothing`: |D| that counts as 0, one a column; `inputs`: Z
/// = W·X + b, `(m, r)`.
pub(crate) fn agreement(outer: &Matrix, nothing: &[f64], inputs: &Matrix) -> Vec<f64> {
    (0..outer.columns)
        .map(|j| {
            let on = (0..outer.rows).filter(|&i| outer.at(i, j).abs() > nothing[j]);
            let (agree, all) =
                on.fold((0, 0), |(agree, all), i| (agree + usize::from(inputs.at(i, j) > 0.0), all + 1));
            if all == 0 { 0.0 } else { agree as f64 / all as f64 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_was_off_for_a_picture_speaks_against_it() {
        let outer = Matrix::new(4, 2, vec![0.5, 1e-9, -0.5, 1.0, 1e-9, -1.0, 0.0, 0.1]);
        let inputs = Matrix::new(4, 2, vec![1.0, -1.0, 2.0, 3.0, -1.0, -3.0, -1.0, 1.0]);
        assert_eq!(agreement(&outer, &[1e-6; 2], &inputs), [1.0, 2.0 / 3.0]);
    }
}
