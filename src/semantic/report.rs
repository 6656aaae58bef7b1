//! What was read out of the gradients, in the words that a report keeps.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Accuracy, Assignment, ClassifierRecord, Similarity};
use crate::{clip::HeldOut, data::same_name};

/// Names of label indices, from every batch alone and from all together.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SemanticReport {
    /// What named the pictures.
    pub model: String,
    /// `N` candidate names; columns of every similarity matrix.
    pub names: Vec<String>,
    /// How the `name` of an index was chosen.
    pub assignment: Assignment,
    /// `M`: how much each batch counts in the aggregation.
    pub batch_weights: Vec<f64>,
    /// `M`
    pub batches: Vec<BatchNaming>,
    /// One entry an index that some reconstruction of some batch carries, rising.
    pub aggregated: Vec<IndexNaming>,
    /// The same from the original pictures, where they are known.
    pub originals: Option<Vec<IndexNaming>>,
    /// Public pictures that the rows of the model alone and of features were learned from, in words.
    pub public: Option<String>,
    /// What named the features of the classes; absent without public pictures.
    pub classifier: Option<ClassifierRecord>,
    /// How well the names are known that were learned from examples; absent where text gave them.
    pub examples: Option<HeldOut>,
    /// Names by the features of the classes, from all batches together; absent without public pictures.
    pub by_features: Option<Vec<IndexNaming>>,
    /// Share of indices named right, with controls; absent where the truth is not known.
    pub accuracy: Option<Accuracies>,
    /// What the user should know, such as prompts that were cut.
    pub notes: Vec<String>,
}

/// What one batch says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BatchNaming {
    /// `B`: the label index that each reconstruction carries.
    pub indices: Vec<usize>,
    /// `(B,N)`: softmax over the names of the model's scaled cosines with each reconstruction.
    pub similarity: Vec<Vec<f64>>,
    /// `(B,N)`: the same of the originals, in their own order; absent where they are not known.
    pub originals: Option<Vec<Vec<f64>>>,
    /// One entry an index of this batch, rising.
    pub labels: Vec<IndexNaming>,
}

/// What a label index seems to mean.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct IndexNaming {
    /// The label index, as the eavesdropper sees it.
    pub index: usize,
    /// Reconstructions that carry it.
    pub reconstructions: usize,
    /// `N`: mean probabilities of the candidate names.
    pub similarity: Vec<f64>,
    /// By the report's assignment.
    pub name: String,
    /// Its mean probability.
    pub probability: f64,
    /// The name of the highest mean probability, whatever the other indices have.
    pub greedy: Choice,
    /// Absent where there are fewer names than indices.
    pub one_to_one: Option<Choice>,
    /// What the index means, where that is known.
    pub truth: Option<String>,
    /// Whether `name` is it; absent where the truth is not known.
    pub right: Option<bool>,
}

/// A name for an index.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Choice {
    /// One of the candidate names.
    pub name: String,
    /// Its mean probability.
    pub probability: f64,
}

/// The result and what stands beside it. Shares are of the indices that the batches truly hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Accuracies {
    /// What was asked: names read off the reconstructions.
    pub reconstructions: Accuracy,
    /// Upper bound: the original pictures with their true indices.
    pub originals: Accuracy,
    /// Uniform noise in place of every reconstruction.
    pub noise: Accuracy,
    /// The reconstructions dealt to other indices; absent where one index carries more than half of them.
    pub shuffled: Option<Accuracy>,
    /// A flat grey picture in place of every reconstruction.
    pub flat_grey: Accuracy,
    /// Originals of another batch in place of the reconstructions; absent where there is none.
    pub unrelated: Option<Accuracy>,
    /// Public pictures with names through the victim, one name an index, and no gradient; absent without such pictures.
    pub model_alone: Option<Accuracy>,
    /// Features of the classes in the gradient, named by public pictures' features, and no reconstruction.
    pub features: Option<Accuracy>,
    /// Features and reconstructions together.
    pub both: Option<Accuracy>,
    /// One of the candidate names drawn at random, exactly 1/N.
    pub random: f64,
}

impl SemanticReport {
    /// Whether names were learned from examples that do not tell them apart.
    pub fn is_at_chance(&self) -> bool {
        self.examples.as_ref().is_some_and(|examples| examples.is_at_chance)
    }
}

impl Accuracies {
    /// What is compared, in the order of interest.
    pub fn rows(&self) -> Vec<(&'static str, &Accuracy)> {
        let rows = [
            ("reconstructions", Some(&self.reconstructions)),
            ("features", self.features.as_ref()),
            ("features and reconstructions", self.both.as_ref()),
            ("model alone", self.model_alone.as_ref()),
            ("originals", Some(&self.originals)),
            ("reconstructions, shuffled", self.shuffled.as_ref()),
            ("unrelated pictures", self.unrelated.as_ref()),
            ("noise", Some(&self.noise)),
            ("flat grey", Some(&self.flat_grey)),
        ];
        rows.into_iter().filter_map(|(name, accuracy)| Some((name, accuracy?))).collect()
    }
}

impl IndexNaming {
    /// A row of names. One-to-one choices are left out where names are too few for them; then the greedy one counts.
    pub(super) fn all(
        similarity: &Similarity,
        names: &[String],
        assignment: Assignment,
        truth: &[Option<String>],
        scored: bool,
    ) -> Vec<IndexNaming> {
        let one_to_one = similarity.one_to_one().ok();
        let choice =
            |row: &[f64], column: usize| Choice { name: names[column].clone(), probability: row[column] };
        let entry = |(i, column): (usize, usize)| {
            let (index, row) = (similarity.indices[i], &similarity.rows[i]);
            let greedy = choice(row, column);
            let one_to_one = one_to_one.as_ref().map(|columns| choice(row, columns[i]));
            let chosen = match assignment {
                Assignment::Greedy => &greedy,
                Assignment::OneToOne => one_to_one.as_ref().unwrap_or(&greedy),
            };
            let truth = truth.get(index).cloned().flatten();
            let same = |truth: &String| same_name(truth, &chosen.name);
            IndexNaming {
                index,
                reconstructions: similarity.counts[i],
                similarity: row.clone(),
                name: chosen.name.clone(),
                probability: chosen.probability,
                right: scored.then(|| truth.as_ref().is_some_and(same)),
                greedy,
                one_to_one,
                truth,
            }
        };
        similarity.greedy().into_iter().enumerate().map(entry).collect()
    }
}
