//! Options of the generators and decoders that make an attack's pictures.

use clap::Args;

use super::{
    guidance_options::names_of_labels, help::group, misuse, options::numbers, progress::Terminal,
    spelled::spelled,
};
use crate::{
    attack::{
        config::{AttackConfig, GeneratorClass, Output, Sought},
        generated::Prior,
        threat::ThreatModel,
    },
    audit::{Audit, GeneratorChoice, choose_generator},
};

/// What makes pictures, and what of it is sought.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::ATTACK)]
pub(crate) struct GeneratorOptions {
    /// How the last tanh of a decoder becomes pictures
    ///
    /// Without it half.
    #[arg(long, value_name = "O", value_parser = spelled::<Output>())]
    decoder_output: Option<Output>,
    /// What gias and gifd make pictures by: builtin, untrained, or a DCGAN with PyTorch's names
    ///
    /// builtin was trained on CIFAR-10's training pictures (3×32×32), and its class is open without --generator-class. A
    /// trained one is knowledge that a threat model must grant (generative-prior). Without the option, the built-in one where
    /// it fits the victim and is granted, else one that nobody trained.
    #[arg(long, value_name = "builtin|untrained|FILE")]
    generator: Option<GeneratorChoice>,
    /// What it was trained on, in words, for the report
    #[arg(long, value_name = "TEXT", requires = "generator")]
    generator_data: Option<String>,
    /// Resize its pictures where the victim takes others
    #[arg(long)]
    resize_generator: bool,
    /// Class to ask a class-conditional generator for: a name for all pictures, a name for each, or open
    ///
    /// Or what label indices mean, as in 3=dog,7=cat: each picture is then of its label's class. open: how much a picture is of
    /// each class is sought, too.
    #[arg(long, value_name = "open|NAME,NAME|LABEL=NAME,…")]
    generator_class: Option<String>,
    /// Radii of gifd's l1 balls, stage by stage, in units of the l1 norm of the features, as in 0.5,1,2
    #[arg(long, value_name = "R,R")]
    radii: Option<String>,
    /// What gias moves: latent, or latent-weights, which is latent and then the generator's weights
    #[arg(long, value_name = "S", value_parser = spelled::<Sought>())]
    sought: Option<Sought>,
    /// Learning rate of the generator's weights in gias
    ///
    /// Without it a thousandth of that of its latents, which --learning-rate gives, as published for CIFAR-10 (Jeon 2021: 1e-4
    /// beside 0.1; for faces and ImageNet 1e-3 beside 0.03).
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    weights_rate: Option<f64>,
}

impl GeneratorOptions {
    /// The options' changes.
    pub(crate) fn configure(&self, config: &mut AttackConfig) -> anyhow::Result<()> {
        config.output = self.decoder_output.unwrap_or(config.output);
        config.sought = self.sought.unwrap_or(config.sought);
        config.resize |= self.resize_generator;
        if let Some(class) = &self.generator_class {
            config.generator_class = Some(generator_class(class)?);
        }
        if let Some(radii) = &self.radii {
            config.radii = numbers("--radii", radii)?;
        }
        config.weights_rate = self.weights_rate.or(config.weights_rate);
        Ok(())
    }

    /// An option that says nothing of an attack on what is `sought`, and what it is for.
    pub(crate) fn misplaced(&self, sought: Sought) -> Option<(&'static str, &'static str)> {
        let (made, decoded) = (sought.takes_generator(), sought == Sought::Decoder);
        let all = [
            ("--decoder-output", self.decoder_output.is_some(), decoded, "a decoder's"),
            ("--generator", self.generator.is_some(), made, "for gias and gifd"),
            ("--resize-generator", self.resize_generator, made, "for gias and gifd"),
            ("--generator-class", self.generator_class.is_some(), made, "for gias and gifd"),
            ("--radii", self.radii.is_some(), sought == Sought::Features, "for gifd"),
            ("--sought", self.sought.is_some(), sought.is_of_latents(), "for gias"),
            (
                "--weights-rate",
                self.weights_rate.is_some(),
                self.sought.unwrap_or(sought) == Sought::LatentWeights,
                "for gias that moves weights",
            ),
        ];
        all.into_iter().find_map(|(option, given, fits, whose)| (given && !fits).then_some((option, whose)))
    }

    /// Refuses a `--sought` that is a preset of its own.
    pub(crate) fn check_sought(&self) -> anyhow::Result<()> {
        match self.sought.filter(|sought| !sought.is_of_latents()) {
            Some(other) => Err(misuse(format!("--sought: expected latent or latent-weights, found {other}"))),
            None => Ok(()),
        }
    }

    /// The generator that is asked for, and what is said of its data.
    pub(crate) fn choice(&self) -> (Option<&GeneratorChoice>, Option<&str>) {
        (self.generator.as_ref(), self.generator_data.as_deref())
    }

    /// The generator of an attack on pictures of this shape.
    pub(crate) fn open(
        &self,
        config: &mut AttackConfig,
        image: [usize; 3],
        threat_model: Option<&ThreatModel>,
    ) -> anyhow::Result<Option<Prior>> {
        let (choice, data) = self.choice();
        Ok(choose_generator(choice, data, (config, image), threat_model, &Terminal)?)
    }

    /// Gives an audit the generator of its attack.
    pub(crate) fn open_for(&self, audit: &mut Audit) -> anyhow::Result<()> {
        let (choice, data) = self.choice();
        Ok(audit.choose_generator(choice, data, &Terminal)?)
    }
}

/// `open`, names, or names of label indices as in `3=dog,7=cat`.
fn generator_class(text: &str) -> anyhow::Result<GeneratorClass> {
    match text {
        "open" => Ok(GeneratorClass::Open),
        labels if labels.contains('=') => {
            let names = names_of_labels("open, names", labels);
            names.map(GeneratorClass::Labels).map_err(|error| misuse(format!("--generator-class: {error}")))
        }
        names => Ok(GeneratorClass::Names(names.split(',').map(|name| name.trim().into()).collect())),
    }
}
