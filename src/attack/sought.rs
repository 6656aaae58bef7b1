//! What a configuration moves, as stages of unknowns.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    check::ConfigError,
    config::{AttackConfig, GeneratorClass, Optimiser, Sought},
    generated::{Classes, Features, Latent, Prior, Source, Weights},
    pixels::Pixels,
    pyramid::Pyramid,
    stage::Begin,
    unknown::Unknown,
};
use crate::{
    data::{Normalisation, place_of_name},
    nn::generator::{Dcgan, Decoder, Generator},
};

/// Least width of a generator that nobody trained, and no file gives: that of the one that can be trained in hours.
const WIDTH: usize = 32;
/// Learning rate of a generator's weights in shares of its numbers' (Jeon 2021: 1e-4 beside 0.1).
const OF_WEIGHTS: f64 = 1e-3;

/// Whose pictures are sought, and by what generator.
#[derive(Clone, Copy)]
pub(crate) struct Seeking<'a> {
    pub config: &'a AttackConfig,
    /// `B`
    pub batch: usize,
    /// `[C, H, W]` of what the victim takes.
    pub image: [usize; 3],
    pub normalisation: &'a Normalisation,
    /// `None`: one that nobody trained.
    pub generator: Option<&'a Prior>,
    pub seed: u64,
    /// Whose pictures they are; `None`: anybody's, whose labels do not matter.
    pub labelled: Option<Labelled<'a>>,
}

/// The targets' labels.
#[derive(Clone, Copy)]
pub(crate) struct Labelled<'a> {
    /// As [`Setting::first`](super::setting::Setting::first).
    pub first: usize,
    /// Given or restored; `None` where the attack is to learn them.
    pub labels: &'a [Option<Vec<usize>>],
    /// Hypotheses of each target, which share its labels.
    pub hypotheses: &'a [usize],
}

/// An unknown, what it starts from, and how it is moved.
pub(crate) struct Part<'a> {
    /// Where there are several, of which the one of the lowest objective counts.
    pub name: Option<String>,
    pub unknown: Box<dyn Fn() -> Box<dyn Unknown> + 'a>,
    pub begin: Begin<'a>,
    pub optimiser: Optimiser,
}

impl<'a> Seeking<'a> {
    /// What is moved, one after another; of pixels at full scale.
    ///
    /// # Errors
    /// A generator of other pictures than the victim's.
    pub(crate) fn parts(self) -> Result<Vec<Part<'a>>, ConfigError> {
        let Seeking { config, batch, image, normalisation, .. } = self;
        let optimiser = config.optimiser;
        let source = move |generator: Arc<dyn Generator>, classes: &Classes| Source {
            generator,
            image,
            normalisation: normalisation.clone(),
            output: config.output,
            classes: classes.clone(),
        };
        let anew = |unknown: Box<dyn Fn() -> Box<dyn Unknown> + 'a>| Part {
            name: None,
            unknown,
            begin: Begin::Anew,
            optimiser,
        };
        Ok(match config.sought {
            Sought::Pixels => vec![anew(Box::new(move || -> Box<dyn Unknown> {
                let (start, normalisation, clamp) = (config.start, normalisation.clone(), config.clamp);
                Box::new(Pixels { batch, image, scale: 1, start, normalisation, clamp })
            }))],
            Sought::Pyramid => vec![anew(Box::new(move || -> Box<dyn Unknown> {
                Box::new(Pyramid { batch, image, normalisation: normalisation.clone() })
            }))],
            Sought::Decoder => {
                let decoder: Arc<dyn Generator> = Arc::new(Decoder::new(batch, image));
                vec![anew(Box::new(move || -> Box<dyn Unknown> {
                    Box::new(Weights::drawn(batch, source(Arc::clone(&decoder), &Classes::Open)))
                }))]
            }
            Sought::Latent | Sought::LatentWeights | Sought::Features => {
                let trained = self.made()?;
                let classes = self.classes(&trained)?;
                let Prior { generator, tensors, .. } = trained;
                let source = move || source(Arc::clone(&generator), &classes);
                let (own, shared) = (source.clone(), Arc::clone(&tensors));
                let latent_kl = config.latent_kl;
                let first = anew(Box::new(move || -> Box<dyn Unknown> {
                    Box::new(Latent { batch, source: own(), tensors: Arc::clone(&shared), latent_kl })
                }));
                match config.sought {
                    Sought::LatentWeights => {
                        let first = Part { name: Some("latent".into()), ..first };
                        vec![
                            first,
                            weights_after(batch, source, tensors, of_weights(optimiser, config.weights_rate)),
                        ]
                    }
                    Sought::Features => {
                        let stages = source().generator.stages();
                        let first = Part { name: Some("latent".into()), ..first };
                        let further = (1..stages).map(|stage| {
                            let radius = config.radii[(stage - 1).min(config.radii.len() - 1)];
                            features_of(batch, source.clone(), Arc::clone(&tensors), stage, radius, optimiser)
                        });
                        [first].into_iter().chain(further).collect()
                    }
                    _ => vec![first],
                }
            }
        })
    }

    /// What the generator is asked for.
    fn classes(self, trained: &Prior) -> Result<Classes, ConfigError> {
        let known = &trained.class_names;
        let (expected, found) = match (&self.config.generator_class, known.is_empty()) {
            (None, true) | (Some(GeneratorClass::Open), false) => return Ok(Classes::Open),
            (Some(GeneratorClass::Names(names)), false) => return self.classes_of_pictures(known, names),
            (Some(GeneratorClass::Labels(names)), false) => return self.classes_of_labels(known, names),
            (None, false) => (
                format!("open, or names of its classes ({})", known.join(", ")),
                "none, and the generator is class-conditional",
            ),
            (Some(_), true) => ("none for a generator that knows no classes".into(), "one"),
        };
        Err(wrong_class(expected, found))
    }

    /// One for all pictures, or one for each, of every target.
    fn classes_of_pictures(self, known: &[String], names: &[String]) -> Result<Classes, ConfigError> {
        if names.len() != 1 && names.len() != self.batch {
            let expected = format!("one name for all pictures or one for each of the {}", self.batch);
            return Err(wrong_class(expected, &names.len().to_string()));
        }
        let found: Vec<usize> = names.iter().map(|name| class(known, name)).collect::<Result<_, _>>()?;
        Ok(Classes::Pictures((0..self.batch).map(|picture| found[picture % found.len()]).collect()))
    }

    /// The class of each picture of each target by what its label is taken to mean.
    fn classes_of_labels(
        self,
        known: &[String],
        names: &BTreeMap<usize, String>,
    ) -> Result<Classes, ConfigError> {
        let of_name = |(&label, name): (&usize, &String)| Ok((label, class(known, name)?));
        let classes: BTreeMap<usize, usize> = names.iter().map(of_name).collect::<Result<_, _>>()?;
        let Some(Labelled { first, labels, hypotheses }) = self.labelled else {
            return Ok(Classes::Pictures(vec![0; self.batch]));
        };
        let of_label = |label: &usize| {
            let missing =
                || wrong_class("a name for every label of the batch".into(), &format!("none for {label}"));
            classes.get(label).copied().ok_or_else(missing)
        };
        let of_target = |(labels, &hypotheses): (&Option<Vec<usize>>, &usize)| {
            let learned = || {
                let expected = "labels that are given or restored before the attack";
                wrong_class(expected.into(), "ones learned with it")
            };
            let labels = labels.as_ref().ok_or_else(learned)?;
            let of_pictures: Vec<usize> = labels.iter().map(of_label).collect::<Result<_, _>>()?;
            Ok(vec![of_pictures; hypotheses])
        };
        let of = labels.iter().zip(hypotheses).map(of_target).collect::<Result<_, ConfigError>>()?;
        Ok(Classes::Targets { first, of: Arc::new(of) })
    }

    /// The generator, whose pictures fit the victim's.
    fn made(self) -> Result<Prior, ConfigError> {
        let [channels, height, width] = self.image;
        let trained = match self.generator {
            Some(trained) => trained.clone(),
            None => Prior::untrained(Arc::new(Dcgan::untrained(WIDTH, channels)), self.seed),
        };
        let [c, h, w] = trained.generator.image();
        let resized = self.config.resize || self.generator.is_none();
        match c == channels && (resized || [h, w] == [height, width]) {
            true => Ok(trained),
            false => Err(ConfigError {
                setting: "generator",
                expected: format!("pictures of {channels}×{height}×{width}, as the victim takes"),
                found: match c == channels {
                    true => format!("{c}×{h}×{w}; --resize-generator resizes them"),
                    false => format!("{c}×{h}×{w}"),
                },
            }),
        }
    }
}

fn wrong_class(expected: String, found: &str) -> ConfigError {
    ConfigError { setting: "generator_class", expected, found: found.into() }
}

/// The generator's class of this name.
fn class(known: &[String], name: &str) -> Result<usize, ConfigError> {
    place_of_name(known, name).ok_or_else(|| wrong_class(format!("one of {}", known.join(", ")), name))
}

/// The generator's weights, for the numbers that were found.
fn weights_after<'a>(
    batch: usize,
    source: impl Fn() -> Source + 'a,
    tensors: Arc<Vec<Vec<f32>>>,
    optimiser: Optimiser,
) -> Part<'a> {
    let first = Arc::clone(&tensors);
    let begin = Begin::Best(Box::new(move |latent: &[Vec<f32>]| {
        Ok(latent.iter().chain(first.iter()).cloned().collect())
    }));
    let unknown = move || -> Box<dyn Unknown> {
        Box::new(Weights::starting_from(batch, source(), Arc::clone(&tensors)))
    };
    Part { name: Some("weights".into()), unknown: Box::new(unknown), begin, optimiser }
}

/// What goes into a stage, from what the stage before found.
fn features_of<'a>(
    batch: usize,
    source: impl Fn() -> Source + 'a,
    tensors: Arc<Vec<Vec<f32>>>,
    stage: usize,
    radius: f64,
    optimiser: Optimiser,
) -> Part<'a> {
    let here = Features { batch, source: source(), tensors: Arc::clone(&tensors), stage, radius };
    let begin = Begin::Best(Box::new(move |before: &[Vec<f32>]| here.from_before(before)));
    let unknown = move || -> Box<dyn Unknown> {
        Box::new(Features { batch, source: source(), tensors: Arc::clone(&tensors), stage, radius })
    };
    Part { name: Some(format!("features {stage}")), unknown: Box::new(unknown), begin, optimiser }
}

fn of_weights(optimiser: Optimiser, rate: Option<f64>) -> Optimiser {
    match optimiser {
        Optimiser::Adam { learning_rate, sign, schedule, warm_up, langevin } => {
            let learning_rate = rate.unwrap_or(OF_WEIGHTS * learning_rate);
            Optimiser::Adam { learning_rate, sign, schedule, warm_up, langevin }
        }
        lbfgs @ Optimiser::Lbfgs { .. } => lbfgs,
    }
}
