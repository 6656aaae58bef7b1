//! `gia-gpu train`

use clap::{Args, Subcommand};

use super::{train_clip::TrainClip, train_generator::TrainGenerator, train_victim::TrainVictim};

/// Train a network on this device.
#[derive(Args)]
#[command(
    after_help = "Example: gia-gpu train victim --arch resnet20 --data cifar/train --test cifar/test --out resnet20.safetensors"
)]
pub(crate) struct Train {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Train a victim on labelled pictures
    Victim(TrainVictim),
    /// Train an image tower against a bank of named concepts, as the built-in model was
    Clip(TrainClip),
    /// Train a generator of pictures, as a prior of attacks (--preset gias, gifd)
    Generator(TrainGenerator),
}

impl Train {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Victim(command) => command.run(),
            What::Clip(command) => command.run(),
            What::Generator(command) => command.run(),
        }
    }
}
