//! What a configuration moves, as stages of unknowns.

use std::sync::Arc;

use super::{
    check::ConfigError,
    config::{AttackConfig, Optimiser, Sought},
    generated::{Latent, Source, Trained, Weights},
    pixels::Pixels,
    stage::Begin,
    unknown::Unknown,
};
use crate::{
    data::Normalisation,
    nn::generator::{Dcgan, Decoder, Generator},
};

/// Least width of a generator that nobody trained, and no file gives: that of the one that can be trained in hours.
const WIDTH: usize = 32;
/// Learning rate of a generator's weights in shares of its numbers' (Jeon 2021: 1e-4 beside 0.1).
const OF_WEIGHTS: f64 = 1e-3;

/// Whose pictures are sought, and by what generator.
#[derive(Clone, Copy)]
pub struct Seeking<'a> {
    pub config: &'a AttackConfig,
    /// `B`
    pub batch: usize,
    /// `[C, H, W]` of what the victim takes.
    pub image: [usize; 3],
    pub normalisation: &'a Normalisation,
    /// `None`: one that nobody trained.
    pub generator: Option<&'a Trained>,
    pub seed: u64,
}

/// An unknown, what it starts from, and how it is moved.
pub struct Part<'a> {
    pub unknown: Box<dyn Fn() -> Box<dyn Unknown> + 'a>,
    pub begin: Begin<'a>,
    pub optimiser: Optimiser,
}

impl<'a> Seeking<'a> {
    /// What is moved, one after another; of pixels at full scale.
    ///
    /// # Errors
    /// A generator of other pictures than the victim's.
    pub fn parts(self) -> Result<Vec<Part<'a>>, ConfigError> {
        let Seeking { config, batch, image, normalisation, .. } = self;
        let optimiser = config.optimiser;
        let source = move |generator: Arc<dyn Generator>| Source {
            generator,
            image,
            normalisation: normalisation.clone(),
            output: config.output,
        };
        let anew =
            |unknown: Box<dyn Fn() -> Box<dyn Unknown> + 'a>| Part { unknown, begin: Begin::Anew, optimiser };
        Ok(match config.sought {
            Sought::Pixels => vec![anew(Box::new(move || -> Box<dyn Unknown> {
                let (start, normalisation, clamp) = (config.start, normalisation.clone(), config.clamp);
                Box::new(Pixels { batch, image, scale: 1, start, normalisation, clamp })
            }))],
            Sought::Decoder => {
                let decoder: Arc<dyn Generator> = Arc::new(Decoder::new(batch, image));
                vec![anew(Box::new(move || -> Box<dyn Unknown> {
                    Box::new(Weights::drawn(batch, source(Arc::clone(&decoder))))
                }))]
            }
            Sought::Latent | Sought::LatentWeights => {
                let Trained { generator, tensors, .. } = self.made()?;
                let (own, shared) = (Arc::clone(&generator), Arc::clone(&tensors));
                let mut parts = vec![anew(Box::new(move || -> Box<dyn Unknown> {
                    let (source, tensors) = (source(Arc::clone(&own)), Arc::clone(&shared));
                    Box::new(Latent { batch, source, tensors })
                }))];
                if config.sought == Sought::LatentWeights {
                    let first = Arc::clone(&tensors);
                    let begin = Begin::Best(Box::new(move |latent: &[Vec<f32>]| {
                        Ok(latent.iter().chain(first.iter()).cloned().collect())
                    }));
                    let unknown = move || -> Box<dyn Unknown> {
                        Box::new(Weights::starting_from(
                            batch,
                            source(Arc::clone(&generator)),
                            Arc::clone(&tensors),
                        ))
                    };
                    parts.push(Part { unknown: Box::new(unknown), begin, optimiser: of_weights(optimiser) });
                }
                parts
            }
        })
    }

    /// The generator, whose pictures fit the victim's.
    fn made(self) -> Result<Trained, ConfigError> {
        let [channels, height, width] = self.image;
        let trained = match self.generator {
            Some(trained) => trained.clone(),
            None => Trained::untrained(Arc::new(Dcgan::untrained(WIDTH, channels)), self.seed),
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

fn of_weights(optimiser: Optimiser) -> Optimiser {
    match optimiser {
        Optimiser::Adam { learning_rate, sign, schedule, warm_up, langevin } => {
            Optimiser::Adam { learning_rate: OF_WEIGHTS * learning_rate, sign, schedule, warm_up, langevin }
        }
        lbfgs @ Optimiser::Lbfgs { .. } => lbfgs,
    }
}
