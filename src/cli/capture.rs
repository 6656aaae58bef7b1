//! `gia-gpu capture`

use std::path::PathBuf;

use clap::Args;

use super::{
    data_options::note_sizes,
    help::group,
    misuse,
    model_options::{Known, VictimOptions},
    options::{DeviceOptions, NormalisationOptions, check_apart, parse_classes, same_file},
    print_line,
    protocol_options::ProtocolOptions,
};
use crate::{
    audit::send,
    data::Picture,
    tensor_file::{GradientInfo, TensorFile, WeightsInfo},
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
pub(crate) struct Capture {
    /// Pictures of the batch, in order, of torchvision's formats
    ///
    /// Those of other sizes than the network's input are resized and cropped, as torchvision's Resize and CenterCrop do.
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
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.check_outputs()?;
        let pictures = self.images.iter().map(|path| Picture::read(path)).collect::<Result<Vec<_>, _>>()?;
        let known = Known::of_pictures(&pictures);
        let victim = self.victim.open(self.seed, &known)?;
        let batch = self.images.len();
        let labels = parse_classes("--labels", &self.labels, batch, victim.model.classes)?;
        let protocol = self.protocol.protocol(&GradientInfo::default(), batch)?;
        let shape = victim.image_shape();
        let normalisation = self.normalisation.open(shape[0], None)?;
        note_sizes(&known.sizes, [shape[1], shape[2]]);
        let pictures = pictures.into_iter().map(|p| p.as_input(shape)).collect::<Result<Vec<_>, _>>()?;
        for path in self.outputs() {
            TensorFile::check_writable(path)?;
        }
        let device = self.device.open()?;
        let message =
            send(&*device, &victim, &protocol, &normalisation, &pictures, &labels, self.send_buffers)?;
        if let Some(path) = &self.save_weights {
            let architecture = Some(victim.model.name.clone());
            WeightsInfo { architecture, ..WeightsInfo::default() }.write(path, &victim.state_dict())?;
        }
        message.write(&self.out)?;
        print_line(format!(
            "{}: {} of {} over {batch} picture{}, loss {:.4}, {} tensors",
            self.out.display(),
            message.kind.name(),
            victim.model.describe(),
            if batch == 1 { "" } else { "s" },
            message.loss,
            message.tensors.len()
        ))
    }

    fn outputs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.out].into_iter().chain(&self.save_weights)
    }

    /// No output may replace another, or an input.
    fn check_outputs(&self) -> anyhow::Result<()> {
        if self.save_weights.as_ref().is_some_and(|path| same_file(path, &self.out)) {
            return Err(misuse("--save-weights and --out name the same file"));
        }
        let inputs = self.images.iter().chain(&self.victim.weights).chain(&self.victim.model.model);
        let inputs = inputs.map(PathBuf::as_path);
        check_apart("--out", [self.out.as_path()], inputs.clone())?;
        check_apart("--save-weights", self.save_weights.as_deref(), inputs)
    }
}
