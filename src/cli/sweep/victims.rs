//! The victims of a sweep, each with options of its own.

use std::ffi::OsString;

use anyhow::Context;
use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

use crate::{
    attack::threat::ThreatModel,
    cli::{
        attack_options::AttackOptions,
        data_options::DataOptions,
        help::group,
        misuse,
        model_options::VictimOptions,
        options::{MAX_BATCH, check_batch, numbers},
        protocol_options::ProtocolOptions,
        run::LabelKnowledge,
    },
    data::Dataset,
    federated::defence::parse,
    sweep::{NamedDefence, Size, SweptVictim, UNDEFENDED},
    tensor_file::GradientInfo,
};

/// Most iterations of an attack on the embedded samples, unless told otherwise.
const DEMONSTRATION: usize = 1_000;

/// Options that a victim can have of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct VictimSettings {
    #[command(flatten)]
    pub victim: VictimOptions,
    /// Pictures in a batch
    #[arg(long, value_name = "N,N", default_value = "1,2,4", help_heading = group::INPUT)]
    batch_sizes: String,
    /// Batches of each size and seed, attacked side by side
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = group::INPUT)]
    pub batches: usize,
    #[command(flatten)]
    pub protocol: ProtocolOptions,
    /// What the eavesdropper knows of the labels
    #[arg(long, value_enum, default_value = "auto", help_heading = group::ATTACK)]
    pub labels: LabelKnowledge,
    #[command(flatten)]
    pub attack: AttackOptions,
}

impl VictimSettings {
    /// `embedded`: whether the pictures are those of the program.
    fn open(
        &self,
        dataset: &Dataset,
        embedded: bool,
        threat_model: Option<&ThreatModel>,
    ) -> anyhow::Result<SweptVictim> {
        let batch_sizes: Vec<usize> = numbers("--batch-sizes", &self.batch_sizes)?;
        batch_sizes.iter().try_for_each(|&size| check_batch(size))?;
        if !(1..=MAX_BATCH).contains(&self.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCH}, found {}", self.batches)));
        }
        let model = &self.victim.model;
        let mut config = self.attack.config(model.name())?;
        if embedded && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        let size = |batch: usize| {
            let protocol = self.protocol.protocol(&GradientInfo::default(), batch);
            Ok(Size { batch, protocol: protocol.with_context(|| format!("batches of {batch}"))? })
        };
        let request = self.victim.request(&DataOptions::known(dataset))?;
        let image = request.image.unwrap_or_default();
        let generator = self.attack.generator.open(&mut config, image, threat_model)?;
        Ok(SweptVictim {
            request,
            weights: self.victim.weights.clone(),
            sizes: batch_sizes.into_iter().map(size).collect::<anyhow::Result<_>>()?,
            batches: self.batches,
            labels_given: self.labels == LabelKnowledge::Given,
            generator,
            config,
            trials: self.attack.trials,
        })
    }
}

/// The victims of `--victim`, or the one of the other options. `embedded`: whether the pictures are those of the program.
pub(crate) fn victims(
    own: &[String],
    common: &VictimSettings,
    matches: &ArgMatches,
    dataset: &Dataset,
    embedded: bool,
    threat_model: Option<&ThreatModel>,
) -> anyhow::Result<Vec<SweptVictim>> {
    if own.is_empty() {
        return Ok(vec![common.open(dataset, embedded, threat_model)?]);
    }
    let given = given(matches);
    own.iter().map(|text| settings(text, &given)?.open(dataset, embedded, threat_model)).collect()
}

/// Of one `--victim`: the common options, then its own, which win.
fn settings(text: &str, common: &[OsString]) -> anyhow::Result<VictimSettings> {
    let words =
        shlex::split(text).ok_or_else(|| misuse(format!("--victim: a quote is not closed in '{text}'")))?;
    let mut words = words.into_iter().peekable();
    let mut arguments = vec![OsString::from("--victim")];
    arguments.extend_from_slice(common);
    if let Some(first) = words.next_if(|word| !word.starts_with('-')) {
        match first.split_once('=') {
            Some((name, weights)) => {
                arguments.push(format!("--{}={name}", kind(name)).into());
                arguments.push(format!("--weights={weights}").into());
            }
            None => arguments.push(format!("--{}={first}", kind(&first)).into()),
        }
    }
    arguments.extend(words.map(OsString::from));
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(|error| misuse(format!("--victim '{text}': {}", error.to_string().trim_end())))?;
    Ok(VictimSettings::from_arg_matches(&matches)?)
}

/// Which option a victim's first word is: a network's file, or an architecture.
fn kind(first: &str) -> &'static str {
    if [".pt2", ".onnx"].iter().any(|end| first.ends_with(end)) { "model" } else { "arch" }
}

fn command() -> Command {
    let usage = "--victim 'ARCH[=FILE] [OPTIONS]'";
    let command =
        Command::new("--victim").args_override_self(true).disable_help_flag(true).override_usage(usage);
    VictimSettings::augment_args(command)
}

/// The options of victims that were given for all of them, as arguments.
fn given(matches: &ArgMatches) -> Vec<OsString> {
    let command = command();
    let options = command.get_arguments().filter_map(|option| Some((option.get_long()?, option)));
    let given = options.filter(|(_, o)| {
        matches.value_source(o.get_id().as_str()).is_some_and(|source| source == ValueSource::CommandLine)
    });
    given
        .flat_map(|(name, option)| -> Vec<OsString> {
            if !option.get_action().takes_values() {
                return vec![format!("--{name}").into()];
            }
            let values = matches.get_raw(option.get_id().as_str()).into_iter().flatten();
            let with_name = |value: &std::ffi::OsStr| {
                let mut argument = OsString::from(format!("--{name}="));
                argument.push(value);
                argument
            };
            values.map(with_name).collect()
        })
        .collect()
}

/// `none`, or defences in order, as in `noise:1e-2,clip:1.0`.
pub(crate) fn defences(texts: &[String]) -> anyhow::Result<Vec<NamedDefence>> {
    let one = |text: &String| {
        if text.trim() == UNDEFENDED {
            return Ok(NamedDefence::none());
        }
        let defences =
            parse(text).map_err(|error| misuse(format!("--defences: {error}, or {UNDEFENDED}")))?;
        Ok(defences.into())
    };
    texts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::samples;

    #[test]
    fn a_victim_has_the_common_options_and_its_own() {
        let common: Vec<OsString> = vec!["--batches=50".into(), "--iterations=100".into(), "--tv=0.5".into()];
        let own =
            settings("resnet18=a.safetensors --stem cifar --batches 4 --batch-sizes 1,2", &common).unwrap();
        assert_eq!(own.victim.model.arch.as_deref(), Some("resnet18"));
        assert_eq!(own.victim.weights.as_deref(), Some(std::path::Path::new("a.safetensors")));
        assert_eq!((own.batches, own.attack.iterations), (4, Some(100)));
        let swept = own.open(&samples(), false, None).unwrap();
        let sizes: Vec<usize> = swept.sizes.iter().map(|size| size.batch).collect();
        assert_eq!((sizes, swept.config.total_variation), (vec![1, 2], 0.5));
        let plain = settings("mlp", &common).unwrap().open(&samples(), false, None).unwrap();
        assert_eq!((plain.weights, plain.batches), (None, 50));
    }

    #[test]
    fn what_is_wrong_with_a_victim_is_told_with_it() {
        let error = settings("mlp --batchez 4", &[]).unwrap_err().to_string();
        assert!(error.contains("--victim 'mlp --batchez 4'") && error.contains("--batches"), "{error}");
        assert!(settings("mlp 'x", &[]).unwrap_err().to_string().contains("quote"));
        let new = |text: &str| {
            settings(text, &[]).unwrap().open(&samples(), false, None).err().unwrap().to_string()
        };
        assert!(new("mlp --batch-sizes 1,x").contains("found 'x'"));
        assert!(new("mlp --batch-sizes 0").contains("expected 1 to"));
        assert!(
            defences(&["none".into(), "noise:x".into()]).err().unwrap().to_string().contains("--defences")
        );
    }
}
