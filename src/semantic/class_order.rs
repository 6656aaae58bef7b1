//! Class indices in an order that says nothing.

use rand::seq::SliceRandom;

use crate::{federated::Victim, random};

/// A permutation of class indices. Data sets order their classes, often by alphabet: whoever knows the data set would
/// know what index 3 means. A client of whom the eavesdropper knows nothing has some order; this is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassOrder {
    /// `(K)`: the index of each of the data set's labels.
    index_of: Vec<usize>,
    /// `(K)`: the reverse.
    label_of: Vec<usize>,
}

impl ClassOrder {
    /// One of the K! orders, drawn by `seed`.
    pub fn shuffled(classes: usize, seed: u64) -> ClassOrder {
        let mut index_of: Vec<usize> = (0..classes).collect();
        index_of.shuffle(&mut random::generator(seed, "class order"));
        ClassOrder::new(index_of)
    }

    /// The data set's own order.
    pub fn kept(classes: usize) -> ClassOrder {
        ClassOrder::new((0..classes).collect())
    }

    fn new(index_of: Vec<usize>) -> ClassOrder {
        let mut label_of = vec![0; index_of.len()];
        index_of.iter().enumerate().for_each(|(label, &index)| label_of[index] = label);
        ClassOrder { index_of, label_of }
    }

    /// `K`
    pub fn classes(&self) -> usize {
        self.index_of.len()
    }

    /// The data set's labels as indices; each is below `K`.
    pub fn indices(&self, labels: &[usize]) -> Vec<usize> {
        labels.iter().map(|&label| self.index_of[label]).collect()
    }

    /// `(K)`: the data set's label of index 0, 1, ….
    pub fn labels(&self) -> &[usize] {
        &self.label_of
    }

    /// Names of labels as names of indices. Indices without a label in the data set have none.
    pub fn names(&self, of_labels: &[String]) -> Vec<Option<String>> {
        self.label_of.iter().map(|&label| of_labels.get(label).cloned()).collect()
    }

    /// Gives the last layer's rows, weight `(K,d)` and bias `(K)`, the new order: a trained victim goes on meaning what
    /// it meant.
    pub fn apply(&self, victim: &mut Victim) {
        let classes = self.classes();
        assert_eq!(classes, victim.model.classes, "an order of the victim's classes");
        let specs = victim.gradient_specs();
        let last = [Some(victim.last_weight()), victim.last_bias()];
        // Not what follows the weight and is no bias, as a scale.
        let names = last.into_iter().flatten().map(|i| &specs[i]).filter(|s| s.shape[0] == classes);
        for name in names.map(|s| &s.name) {
            let at = victim.declarations.iter().position(|d| d.name == *name).expect("it is declared");
            let tensor = &mut victim.tensors[at];
            let row = tensor.len() / classes;
            *tensor =
                self.label_of.iter().flat_map(|&label| &tensor[label * row..][..row]).copied().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::Normalisation,
        device::cpu::Cpu,
        federated::{Protocol, Request, client},
    };

    #[test]
    fn an_order_is_a_permutation_that_depends_on_the_seed_alone() {
        let order = ClassOrder::shuffled(100, 7);
        assert_eq!(order, ClassOrder::shuffled(100, 7));
        assert_ne!(order, ClassOrder::shuffled(100, 8));
        let all: Vec<usize> = (0..100).collect();
        let mut sorted = order.indices(&all);
        assert_ne!(sorted, all);
        // There and back.
        assert!(sorted.iter().zip(&all).all(|(&index, &label)| order.labels()[index] == label));
        sorted.sort_unstable();
        assert_eq!(sorted, all);
        let names = order.names(&["a".into(), "b".into()]);
        assert_eq!(names.iter().flatten().count(), 2);
        assert_eq!(names[order.indices(&[1])[0]].as_deref(), Some("b"));
    }

    #[test]
    fn a_permuted_victim_has_the_same_loss_and_the_same_gradient_with_its_rows_moved() {
        let request = Request { classes: Some(5), ..Request::named("lenet-zhu") };
        let mut victim = Victim::from_seed(&request, 3).unwrap();
        let samples = crate::data::samples();
        let pictures = [samples.picture(0).unwrap(), samples.picture(1).unwrap()];
        let images = Normalisation::default().normalise(&pictures).unwrap();
        let update = |victim: &Victim, labels: &[usize]| {
            client::update(&Cpu::<f32>::new(), victim, &Protocol::default(), &images, labels).unwrap()
        };
        let before = update(&victim, &[4, 1]);
        let order = ClassOrder::shuffled(5, 1);
        order.apply(&mut victim);
        let after = update(&victim, &order.indices(&[4, 1]));
        assert!((before.loss - after.loss).abs() < 1e-6 * before.loss);
        let weight = victim.last_weight();
        for (tensor, (a, b)) in before.gradient.iter().zip(&after.gradient).enumerate() {
            let row = if tensor < weight { a.len() } else { a.len() / 5 };
            for (at, value) in b.iter().enumerate() {
                let from = if tensor < weight { at } else { order.labels()[at / row] * row + at % row };
                assert!((value - a[from]).abs() < 1e-5, "tensor {tensor} at {at}: {value} and {}", a[from]);
            }
        }
        // The loss with the old labels is another: the order matters.
        assert!((update(&victim, &[4, 1]).loss - before.loss).abs() > 1e-3 || order == ClassOrder::kept(5));
    }
}
