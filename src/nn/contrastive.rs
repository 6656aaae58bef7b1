//! An image tower against a bank of concepts: its classes are names, each a learned vector, and a logit is a scale
//! times the cosine between a picture's features and a name's vector (Radford 2021, figure 3, with a bank in place of
//! a text tower).

use super::{Architecture, Init, Network};
use crate::tape::{Tape, Var};

/// Names of the head's tensors; all others are the tower's.
pub const BANK: &str = "bank.weight";
/// `()`: logarithm of what cosines are multiplied by.
pub const LOGIT_SCALE: &str = "logit_scale";

/// Where the logarithm of the scale starts, and what it is held under, as in CLIP.
const TEMPERATURE: f64 = 0.07;
const LARGEST_SCALE: f64 = 100.0;

/// A tower whose classes are the rows of a bank.
pub struct Contrastive {
    /// The network that turns a picture into features.
    pub tower: Box<dyn Architecture>,
    /// `E`: features of a picture, the tower's outputs.
    pub width: usize,
}

impl Architecture for Contrastive {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let features = self.tower.forward(net, x, self.width);
        let bank = net.parameter(BANK, &[classes, self.width], Init::Normal(1.0));
        let start = Init::Constant((1.0 / TEMPERATURE).ln() as f32);
        let scale = net.parameter(LOGIT_SCALE, &[1], start);
        let trials = net.trials;
        let t = &mut *net.tape;
        let [features, bank] = [features, bank].map(|rows| directions(t, rows));
        let bank = t.transpose(bank);
        let cosine = t.matmul(features, bank);
        let most = t.scalar(LARGEST_SCALE.ln());
        let scale = t.min(scale, most);
        let scale = t.exp(scale);
        let scale = t.reshape(scale, &[trials, 1, 1]);
        t.mul(cosine, scale)
    }

    fn default_image(&self) -> [usize; 3] {
        self.tower.default_image()
    }

    fn any_size(&self) -> bool {
        self.tower.any_size()
    }

    fn smallest_side(&self) -> usize {
        self.tower.smallest_side()
    }

    fn options(&self) -> &'static [&'static str] {
        self.tower.options()
    }

    fn activation(&self) -> super::options::Activation {
        self.tower.activation()
    }

    fn depth(&self) -> super::architecture::Depth {
        self.tower.depth()
    }
}

/// Rows `(T,N,E)` of length 1.
fn directions(tape: &mut Tape, rows: Var) -> Var {
    /// Keeps a row of zeros finite.
    const EPSILON: f64 = 1e-12;
    let squares = tape.mul(rows, rows);
    let sum = tape.sum(squares, &[2]);
    let sum = tape.add_scalar(sum, EPSILON);
    let inverse = tape.rsqrt(sum);
    tape.mul(rows, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device::{Device, cpu::Cpu},
        nn::{Mode, Model, Options},
        plan::Plan,
    };

    #[test]
    fn logits_are_the_scale_times_the_cosine_with_every_name() {
        let options = Options { hidden: Some(vec![3]), ..Options::default() };
        let model = Model::contrastive("mlp", &options, Some([1, 2, 2]), 3, 2).unwrap();
        let mut tape = Tape::new();
        let x = tape.input(&[1, 2, 1, 2, 2]);
        let pass = model.apply(&mut tape, x, Mode::Eval);
        let names: Vec<&str> = pass.parameters.iter().map(|p| p.declaration.name.as_str()).collect();
        assert_eq!(names[names.len() - 2..], [BANK, LOGIT_SCALE]);
        let mut run = Cpu::<f64>::new().compile(&Plan::new(&tape, &[pass.logits], &[])).unwrap();
        // Features are the first three pixels: two layers that copy.
        let copy4 = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let copy3 = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let bank = [0.0, 2.0, 0.0, 3.0, 0.0, 4.0];
        let values: [&[f32]; 6] = [&copy4, &[0.0; 3], &copy3, &[0.0; 3], &bank, &[2f32.ln()]];
        for (parameter, value) in pass.parameters.iter().zip(values) {
            run.write(parameter.stored, value).unwrap();
        }
        run.write(x, &[3.0, 4.0, 0.0, 9.0, 1.0, 0.0, 0.0, 0.0]).unwrap();
        run.run(1).unwrap();
        let found = run.read(pass.logits).unwrap();
        let expected = [2.0 * 0.8, 2.0 * 0.36, 0.0, 2.0 * 0.6];
        assert!(found.iter().zip(expected).all(|(f, e): (&f32, f32)| (f - e).abs() < 1e-5), "{found:?}");
    }

    #[test]
    fn the_scale_is_held_under_a_hundred() {
        let model = Model::contrastive("mlp", &Options::default(), Some([1, 2, 2]), 3, 2).unwrap();
        let mut tape = Tape::new();
        let x = tape.input(&[1, 1, 1, 2, 2]);
        let pass = model.apply(&mut tape, x, Mode::Eval);
        let mut run = Cpu::<f64>::new().compile(&Plan::new(&tape, &[pass.logits], &[])).unwrap();
        for parameter in &pass.parameters {
            let len = parameter.declaration.shape.iter().product();
            run.write(parameter.stored, &vec![if len == 1 { 50.0 } else { 0.5 }; len]).unwrap();
        }
        run.write(x, &[1.0; 4]).unwrap();
        run.run(1).unwrap();
        let found = run.read(pass.logits).unwrap();
        assert!(found.iter().all(|logit| (logit - 100.0).abs() < 1e-2), "{found:?}");
    }
}
