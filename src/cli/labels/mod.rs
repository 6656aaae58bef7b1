//! `gia-gpu labels`

mod output;

use std::path::PathBuf;

use clap::Args;

use super::{
    help::group,
    misuse,
    model_options::{ModelOptions, victim_error},
    observed::ObservedOptions,
    options::{check_batch, parse_classes, same_file},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
    spelled::{OneOrAll, one_or_all},
};
use crate::{
    attack::labels::Method,
    audit::{
        layer_files::{LayerFiles, Names},
        note_positions,
        sent::{self, kind_of},
    },
    federated::{Kind, Protocol, Victim, check_classes},
    tensor_file::GradientFile,
};

/// Restore the labels of a batch from the last layer's gradient, duplicates included.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu labels --arch resnet18 --weights victim.safetensors --gradient \
                  gradient.safetensors --batch 8\n  gia-gpu labels --weights victim.safetensors --gradient \
                  gradient.safetensors --batch 8 --last-layer fc.weight,fc.bias\n\n\
                  With --last-layer the files need to hold no more than these two tensors; others are ignored."
)]
pub(crate) struct Labels {
    /// The observed gradient: a safetensors file with the names of the parameters
    #[arg(long, value_name = "FILE")]
    gradient: PathBuf,
    /// Samples in the batch, where the gradient file does not say
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    #[command(flatten)]
    observed: ObservedOptions,
    /// The victim's weights: a safetensors file; ilrg needs it
    #[arg(long, value_name = "FILE", help_heading = group::VICTIM)]
    weights: Option<PathBuf>,
    /// Names of the last linear layer's weight and bias
    ///
    /// The weight alone if it has no bias.
    #[arg(long, value_name = "WEIGHT,BIAS", help_heading = group::VICTIM)]
    last_layer: Option<String>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    /// How the labels are read
    #[arg(long, value_parser = one_or_all::<Method>("Every method"), default_value = "ilrg", help_heading = group::ATTACK)]
    method: OneOrAll<Method>,
    /// True class indices, as in 3,5,5: prints how right the result is
    #[arg(long, value_name = "L,L", allow_hyphen_values = true, help_heading = group::OUTPUT)]
    truth: Option<String>,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

impl Labels {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.check()?;
        let gradient = GradientFile::read(&self.gradient)?;
        let batch = self.batch_size(gradient.info.batch_size)?;
        let protocol = self.protocol.protocol(&gradient.info, batch)?;
        let kind = kind_of(self.observed.kind(), &gradient.info, &self.gradient, &protocol)?;
        let files = match &self.last_layer {
            Some(names) => self.two_tensors(&gradient, names)?.into_gradient(kind, &protocol, batch)?,
            None => self.of_victim(gradient, kind, batch, &protocol)?,
        };
        check_classes(files.classes)
            .map_err(|error| anyhow::anyhow!("{}: {error}", self.gradient.display()))?;
        let truth = self.truth.as_deref().map(|text| truth(text, batch, files.classes)).transpose()?;
        let all = self.method == OneOrAll::All;
        let restored = files.restore(&self.methods(), all, batch, protocol.steps())?;
        let found: Vec<output::Entry> =
            restored.into_iter().map(|r| output::Entry::new(r, truth.as_deref())).collect();
        match (self.json, &found[..]) {
            (true, [only]) if !all => print_json(only),
            (true, found) => print_json(&found),
            (false, found) => {
                print_line(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
            }
        }
    }

    fn methods(&self) -> Vec<Method> {
        match self.method {
            OneOrAll::One(method) => vec![method],
            OneOrAll::All => Method::ANY_BATCH.to_vec(),
        }
    }

    /// What can be said before a file is read.
    fn check(&self) -> anyhow::Result<()> {
        if let Some(batch) = self.batch {
            check_batch(batch)?;
        }
        match &self.weights {
            None if self.model.model.is_none()
                && self.methods().iter().any(|method| method.needs_weights()) =>
            {
                Err(misuse("--method ilrg and all predict with the last layer's weights: give --weights"))
            }
            Some(weights) if same_file(weights, &self.gradient) => Err(misuse(format!(
                "--weights and --gradient name the same file, {}",
                self.gradient.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Of the gradient file, of `--batch`, or of `--clients`.
    fn batch_size(&self, in_file: Option<usize>) -> anyhow::Result<usize> {
        match (in_file, self.batch.or(self.protocol.pictures())) {
            (Some(file), Some(option)) if file != option => Err(misuse(format!(
                "--batch: expected {file}, the batch size in {}, found {option}",
                self.gradient.display()
            ))),
            (Some(batch), _) | (None, Some(batch)) => Ok(batch),
            (None, None) => {
                Err(misuse(format!("{} does not say its batch size: give --batch", self.gradient.display())))
            }
        }
    }

    /// Files of which only the last layer is read.
    fn two_tensors(&self, gradient: &GradientFile, names: &str) -> anyhow::Result<LayerFiles> {
        let names = Names::parse(names)?;
        if self.model.arch.is_some() || self.model.model.is_some() {
            self.model.network()?.known_from(&gradient.info, &self.gradient)?;
        }
        Ok(LayerFiles::read(gradient, self.weights.as_deref(), names)?)
    }

    /// Files of a whole model.
    fn of_victim(
        &self,
        gradient: GradientFile,
        kind: Kind,
        batch: usize,
        protocol: &Protocol,
    ) -> anyhow::Result<LayerFiles> {
        if self.model.arch.is_none() && self.model.model.is_none() && gradient.info.architecture.is_none() {
            let file = self.gradient.display();
            return Err(misuse(format!(
                "{file} does not say its architecture: give --last-layer WEIGHT,BIAS, --arch or --model"
            )));
        }
        if self.weights.is_none() && self.model.model.is_none() {
            return Err(misuse("without --weights, the last layer is found by --last-layer WEIGHT,BIAS"));
        }
        let network = self.model.network()?;
        let request = network.request(&network.known_from(&gradient.info, &self.gradient)?)?;
        let victim = match &self.weights {
            Some(weights) => Victim::from_file(weights, &request),
            None => Victim::from_seed(&request, 0),
        };
        let victim = victim.map_err(victim_error)?;
        if let Some(weights) = &self.weights {
            note_positions(weights, victim.positions.as_ref(), &Terminal);
        }
        let received = sent::read(gradient, &victim, protocol, kind, batch, false, &Terminal)?;
        Ok(LayerFiles::of_victim(&victim, &self.gradient, &received.gradient))
    }
}

/// `--truth` as counts `(K)`.
fn truth(text: &str, batch: usize, classes: usize) -> anyhow::Result<Vec<usize>> {
    let mut counts = vec![0; classes];
    parse_classes("--truth", text, batch, classes)?.into_iter().for_each(|label| counts[label] += 1);
    Ok(counts)
}
