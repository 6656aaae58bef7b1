//! Pixels at several resolutions at once as what is unknown: x = ½ + ½·tanh Σ up(P_r), sides 1, 2, 4, … and the picture's own.
//! What many pixels share is one number, which moves as fast as a pixel: shapes come before patterns.

use super::{
    setting::Trial,
    unknown::{Unknown, Variable, normalised},
};
use crate::{
    data::Normalisation,
    nn::scale::enlarge,
    random,
    tape::{Tape, Var},
};

/// Deviation of Σ up(P_r) at the start, about.
const SPREAD: f32 = 0.5;

/// A batch of pictures, normalised, as sums of smaller ones.
#[derive(Clone, Debug)]
pub struct Pyramid {
    /// `B`
    pub batch: usize,
    /// `[C, H, W]` of what the victim takes.
    pub image: [usize; 3],
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: Normalisation,
}

impl Pyramid {
    /// `[h, w]` of each level, the coarsest first.
    pub fn levels(&self) -> Vec<[usize; 2]> {
        let [_, height, width] = self.image;
        let mut levels = vec![];
        let mut side = 1;
        while side < height.max(width) {
            levels.push([side.min(height), side.min(width)]);
            side *= 2;
        }
        levels.push([height, width]);
        levels
    }
}

impl Unknown for Pyramid {
    /// Together the levels move a pixel as fast as it would move alone.
    fn variables(&self) -> Vec<Variable> {
        let levels = self.levels();
        let rate = 1.0 / levels.len() as f64;
        let level =
            |[h, w]: &[usize; 2]| Variable { rate, ..Variable::free(&[self.batch, self.image[0], *h, *w]) };
        levels.iter().map(level).collect()
    }

    fn start(&self, seed: u64, Trial { target, restart, .. }: Trial) -> Vec<Vec<f32>> {
        let levels = self.levels();
        let mut generator = random::generator(seed, &format!("start of a pyramid {target} {restart}"));
        let spread = SPREAD / (levels.len() as f32).sqrt();
        let planes = self.batch * self.image[0];
        let mut level = |[h, w]: &[usize; 2]| -> Vec<f32> {
            random::normal(&mut generator, planes * h * w).into_iter().map(|v| spread * v).collect()
        };
        levels.iter().map(&mut level).collect()
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], _: &[Var]) -> Var {
        let [_, height, width] = self.image;
        let full: Vec<Var> = variables.iter().map(|&level| enlarge(tape, level, [height, width])).collect();
        let sum = full.into_iter().reduce(|sum, level| tape.add(sum, level)).expect("there is a level");
        let pictures = tape.tanh(sum);
        normalised(tape, pictures, &self.normalisation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_double_up_to_the_pictures_own_size() {
        let of = |image| Pyramid { batch: 1, image, normalisation: Normalisation::default() }.levels();
        assert_eq!(of([3, 32, 32]), [1, 2, 4, 8, 16, 32].map(|side| [side; 2]));
        assert_eq!(of([1, 28, 28]), [1, 2, 4, 8, 16, 28].map(|side| [side; 2]));
        assert_eq!(of([3, 3, 6]), [[1, 1], [2, 2], [3, 4], [3, 6]]);
        assert_eq!(of([3, 1, 1]), [[1, 1]]);
    }
}
