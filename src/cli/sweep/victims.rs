//! The victims of a sweep, each with options of its own.

use std::ffi::OsString;

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

use crate::{
    attack::config::AttackConfig,
    cli::{
        attack_options::AttackOptions,
        help::group,
        misuse,
        model_options::{DEFAULT_ARCHITECTURE, VictimOptions},
        options::{MAX_BATCH, check_batch, numbers},
        protocol_options::ProtocolOptions,
        run::LabelKnowledge,
    },
    federated::{
        Protocol,
        defence::{Defence, parse},
    },
    sweep::{Cell, UNDEFENDED, UNTRAINED},
    tensor_file::GradientInfo,
};

/// Most iterations of an attack on the embedded samples, unless told otherwise.
const DEMONSTRATION: usize = 1_000;

/// Options that a victim can have of its own.
#[derive(Args, Clone, Debug)]
pub struct VictimSettings {
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

/// A victim of the sweep.
pub struct SweptVictim {
    pub settings: VictimSettings,
    pub config: AttackConfig,
    pub batch_sizes: Vec<usize>,
}

/// What the client applies, in order, and what it is called.
pub struct NamedDefence {
    pub name: String,
    pub defences: Vec<Defence>,
}

/// A cell, and which victim and defence it has.
pub struct Task {
    pub victim: usize,
    pub defence: usize,
    pub cell: Cell,
}

impl SweptVictim {
    fn new(settings: VictimSettings, embedded: bool) -> anyhow::Result<SweptVictim> {
        let batch_sizes = numbers("--batch-sizes", &settings.batch_sizes)?;
        batch_sizes.iter().try_for_each(|&size| check_batch(size))?;
        if !(1..=MAX_BATCH).contains(&settings.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCH}, found {}", settings.batches)));
        }
        let name = settings.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = settings.attack.config(name)?;
        if embedded && settings.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        Ok(SweptVictim { settings, config, batch_sizes })
    }

    pub fn protocol(&self, batch_size: usize) -> anyhow::Result<Protocol> {
        self.settings.protocol.protocol(&GradientInfo::default(), batch_size)
    }

    /// [`UNTRAINED`], or the file as it was given.
    pub fn weights(&self) -> String {
        self.settings.victim.weights.as_ref().map_or(UNTRAINED.into(), |path| path.display().to_string())
    }

    /// How much work a cell is, compared with others of the victim.
    pub fn work(&self, batch_size: usize) -> f64 {
        let attacks = self.settings.batches * self.settings.attack.trials;
        (batch_size * attacks) as f64 * self.config.iterations as f64
    }
}

/// The victims of `--victim`, or the one of the other options. `embedded`: whether the pictures are those of the program.
pub fn victims(
    own: &[String],
    common: &VictimSettings,
    matches: &ArgMatches,
    embedded: bool,
) -> anyhow::Result<Vec<SweptVictim>> {
    if own.is_empty() {
        return Ok(vec![SweptVictim::new(common.clone(), embedded)?]);
    }
    let given = given(matches);
    own.iter().map(|text| SweptVictim::new(settings(text, &given)?, embedded)).collect()
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
                arguments.push(format!("--arch={name}").into());
                arguments.push(format!("--weights={weights}").into());
            }
            None => arguments.push(format!("--arch={first}").into()),
        }
    }
    arguments.extend(words.map(OsString::from));
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(|error| misuse(format!("--victim '{text}': {}", error.to_string().trim_end())))?;
    Ok(VictimSettings::from_arg_matches(&matches)?)
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
pub fn defences(texts: &[String]) -> anyhow::Result<Vec<NamedDefence>> {
    let one = |text: &String| {
        if text.trim() == UNDEFENDED {
            return Ok(NamedDefence { name: UNDEFENDED.into(), defences: vec![] });
        }
        let defences =
            parse(text).map_err(|error| misuse(format!("--defences: {error}, or {UNDEFENDED}")))?;
        let names: Vec<String> = defences.iter().map(ToString::to_string).collect();
        Ok(NamedDefence { name: names.join(","), defences })
    };
    texts.iter().map(one).collect()
}

/// All cells, in the order in which they are computed and listed. `names`: of the victims.
///
/// # Errors
/// Two of them are the same.
pub fn tasks(
    victims: &[SweptVictim],
    names: &[String],
    defences: &[NamedDefence],
    seeds: &[u64],
) -> anyhow::Result<Vec<Task>> {
    let mut tasks: Vec<Task> = vec![];
    for (v, (victim, name)) in victims.iter().zip(names).enumerate() {
        for (d, defence) in defences.iter().enumerate() {
            for &batch_size in &victim.batch_sizes {
                for &seed in seeds {
                    let cell = Cell {
                        victim: name.clone(),
                        weights: victim.weights(),
                        batch_size,
                        defence: defence.name.clone(),
                        seed,
                    };
                    if tasks.iter().any(|task| task.cell == cell) {
                        return Err(misuse(format!("the sweep has a cell twice: {cell}")));
                    }
                    tasks.push(Task { victim: v, defence: d, cell });
                }
            }
        }
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_victim_has_the_common_options_and_its_own() {
        let common: Vec<OsString> = vec!["--batches=50".into(), "--iterations=100".into(), "--tv=0.5".into()];
        let own =
            settings("resnet18=a.safetensors --stem cifar --batches 4 --batch-sizes 1,2", &common).unwrap();
        assert_eq!(own.victim.model.arch.as_deref(), Some("resnet18"));
        assert_eq!(own.victim.weights.as_deref(), Some(std::path::Path::new("a.safetensors")));
        assert_eq!((own.batches, own.attack.iterations), (4, Some(100)));
        let swept = SweptVictim::new(own, false).unwrap();
        assert_eq!((swept.batch_sizes, swept.config.total_variation), (vec![1, 2], 0.5));
        let plain = SweptVictim::new(settings("mlp", &common).unwrap(), false).unwrap();
        assert_eq!((plain.weights(), plain.settings.batches), (UNTRAINED.to_string(), 50));
    }

    #[test]
    fn what_is_wrong_with_a_victim_is_told_with_it() {
        let error = settings("mlp --batchez 4", &[]).unwrap_err().to_string();
        assert!(error.contains("--victim 'mlp --batchez 4'") && error.contains("--batches"), "{error}");
        assert!(settings("mlp 'x", &[]).unwrap_err().to_string().contains("quote"));
        let new =
            |text: &str| SweptVictim::new(settings(text, &[]).unwrap(), false).err().unwrap().to_string();
        assert!(new("mlp --batch-sizes 1,x").contains("found 'x'"));
        assert!(new("mlp --batch-sizes 0").contains("expected 1 to"));
        assert!(
            defences(&["none".into(), "noise:x".into()]).err().unwrap().to_string().contains("--defences")
        );
    }
}
