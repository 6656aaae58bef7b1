//! `gia-gpu capture`

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use super::{
    help::group,
    misuse,
    model_options::{Known, VictimOptions},
    options::{DeviceOptions, NormalisationOptions, fit_picture, parse_labels, same_file},
    print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    data::Picture,
    federated::{ClientLoss, Kind, LocalOptimiser, Protocol, Update, Victim, client, observed},
    nn::Mode,
    tensor_file::{GradientFile, GradientInfo, ParameterSpec, Tensor, TensorFile, WeightsInfo},
};

/// Compute what a client would send for these pictures.
///
/// The gradient of mean cross entropy, or with --local-steps the update of its local training.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu capture --arch lenet-zhu --seed 1 --images cat.png dog.png --labels 3,5 \
                  --out gradient.safetensors --save-weights victim.safetensors"
)]
pub struct Capture {
    /// Pictures of the batch, in order: PNG or JPEG
    ///
    /// They are fitted to the network's input.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    images: Vec<PathBuf>,
    /// Class index of each picture, as in 3,5
    #[arg(long, value_name = "L,L", allow_hyphen_values = true)]
    labels: String,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    victim: VictimOptions,
    /// Seed of the weights, where no file gives them
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::VICTIM)]
    seed: u64,
    #[command(flatten)]
    protocol: ProtocolOptions,
    /// Send the running batch-norm statistics after training, too
    ///
    /// As FedAvg's clients do; with --mode train.
    #[arg(long, help_heading = group::CLIENT)]
    send_buffers: bool,
    /// Gradient file to write
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Also write the victim's weights, which `invert` needs
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    save_weights: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Capture {
    pub fn run(self) -> anyhow::Result<()> {
        self.check_outputs()?;
        let pictures = self.images.iter().map(|path| Picture::read(path)).collect::<Result<Vec<_>, _>>()?;
        let known = Known { pictures: pictures.first().map(Picture::shape), ..Known::default() };
        let victim = self.victim.open(self.seed, &known)?;
        let batch = self.images.len();
        let labels = parse_labels(&self.labels, batch, victim.model.classes)?;
        let protocol = self.protocol.protocol(&GradientInfo::default(), batch)?;
        if self.send_buffers && protocol.mode != Mode::Train {
            return Err(misuse("--send-buffers: in eval mode the buffers do not change; give --mode train"));
        }
        let shape = victim.image_shape();
        let normalisation = self.normalisation.open(shape[0], None)?;
        let pictures = pictures.into_iter().map(|p| fit_picture(p, shape)).collect::<Result<Vec<_>, _>>()?;
        for path in self.outputs() {
            TensorFile::check_writable(path)?;
        }
        let device = self.device.open()?;
        let update =
            client::update(&*device, &victim, &protocol, &normalisation.normalise(&pictures)?, &labels)?;
        let loss = update.loss;

        let kind = if protocol.local.is_some() { Kind::Update } else { Kind::Gradient };
        let info = GradientInfo {
            architecture: Some(victim.model.name.clone()),
            options: Some(victim.model.options.to_string()).filter(|o| !o.is_empty()),
            kind: Some(kind.name().into()),
            mode: Some(if protocol.mode == Mode::Train { "train" } else { "eval" }.into()),
            clients: Some(protocol.clients).filter(|&n| n > 1),
            local_steps: protocol.local.map(|l| l.steps),
            local_batch: protocol.local.map(|l| l.batch),
            local_lr: protocol.local.map(|l| l.learning_rate),
            local_optimiser: protocol
                .local
                .map(|l| l.optimiser)
                .filter(|o| *o != LocalOptimiser::Sgd)
                .map(|o| o.to_string()),
            weight_decay: protocol.local.map(|l| l.weight_decay).filter(|&decay| decay != 0.0),
            loss: Some(&protocol.loss).filter(|loss| **loss != ClientLoss::Mean).map(ClientLoss::to_string),
            batch_size: Some(batch),
            image_shape: Some(shape),
            classes: Some(victim.model.classes),
            mean: Some(normalisation.mean().to_vec()),
            std: Some(normalisation.std().to_vec()),
            victim: Some(victim.fingerprint()),
        };
        if let Some(path) = &self.save_weights {
            let architecture = Some(victim.model.name.clone());
            WeightsInfo { architecture, ..WeightsInfo::default() }.write(path, &victim.state_dict())?;
        }
        let tensors = self.sent(&victim, &protocol, update);
        GradientFile::write(&self.out, &tensors, &info)?;
        print_line(format!(
            "{}: {} of {} over {batch} picture{}, loss {loss:.4}, {} tensors",
            self.out.display(),
            kind.name(),
            victim.model.describe(),
            if batch == 1 { "" } else { "s" },
            tensors.len()
        ))
    }

    /// The tensors that leave the client.
    fn sent(&self, victim: &Victim, protocol: &Protocol, update: Update) -> BTreeMap<String, Tensor> {
        let named = |(spec, data): (ParameterSpec, Vec<f32>)| (spec.name, Tensor { shape: spec.shape, data });
        let gradient = observed::sent(protocol, self.images.len(), update.gradient);
        let buffers = victim.buffer_specs().into_iter().zip(update.buffers);
        let buffers = buffers.filter(|_| self.send_buffers);
        victim.gradient_specs().into_iter().zip(gradient).chain(buffers).map(named).collect()
    }

    fn outputs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.out].into_iter().chain(&self.save_weights)
    }

    /// No output may replace another, or an input.
    fn check_outputs(&self) -> anyhow::Result<()> {
        if self.save_weights.as_ref().is_some_and(|path| same_file(path, &self.out)) {
            return Err(misuse("--save-weights and --out name the same file"));
        }
        for input in self.images.iter().chain(&self.victim.weights) {
            if self.outputs().any(|output| same_file(output, input)) {
                return Err(misuse(format!("{} is an input: it cannot be written to", input.display())));
            }
        }
        Ok(())
    }
}
