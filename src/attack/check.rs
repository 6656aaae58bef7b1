//! Whether a configuration and what it is to attack make sense: everything that a user can set has its bounds here.

use super::{
    AttackError,
    config::{AttackConfig, Layers, Objective, Optimiser, Sign, Sought, StatisticsTarget},
    guidance::{Anneal, Guidance, Guide},
    looks::MAX_VIEWS,
    setting::{Setting, Target},
    way::{self, Way},
};
use crate::{
    clip::preprocess::CHANNELS,
    federated::{MAX_BATCH, ProtocolError, defence::adapt::View},
    nn::Mode,
    tape::Tape,
};

/// Most iterations: their learning rates are a table on the device.
pub const MAX_ITERATIONS: usize = 10_000_000;
/// Most restarts of a target.
pub const MAX_RESTARTS: usize = 4096;
/// Most coarse scales, and the largest factor.
pub const MAX_SCALES: usize = 8;
/// Largest factor by which a coarse scale's pictures are smaller.
pub const MAX_SCALE: usize = 64;
/// Most iterations of L-BFGS in one of the attack's, and most steps that it remembers.
const MAX_INNER: usize = 10_000;

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{setting}: expected {expected}, found {found}")]
pub struct ConfigError {
    /// As a user writes it: the setting or the option.
    pub setting: &'static str,
    /// What would make sense.
    pub expected: String,
    /// What was given.
    pub found: String,
}

impl ConfigError {
    fn new(setting: &'static str, expected: impl ToString, found: impl ToString) -> ConfigError {
        ConfigError { setting, expected: expected.to_string(), found: found.to_string() }
    }
}

type Checked = Result<(), ConfigError>;

fn within(setting: &'static str, value: usize, least: usize, most: usize) -> Checked {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(ConfigError::new(setting, format!("{least} to {most}"), value)),
    }
}

/// A weight that may be 0.
fn weight(setting: &'static str, value: f64) -> Checked {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(ConfigError::new(setting, "a weight ≥ 0", value)),
    }
}

fn positive(setting: &'static str, value: f64) -> Checked {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(ConfigError::new(setting, "a number > 0", value)),
    }
}

impl AttackConfig {
    /// # Errors
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("iterations", self.iterations, 1, MAX_ITERATIONS)?;
        if let Way::Spear(spear) | Way::Auto(spear) = &self.way
            && spear.budget == 0
        {
            return Err(ConfigError::new("budget", "1 set of rows or more", 0));
        }
        if let Objective::CosineTop(share) = self.objective
            && !(share > 0.0 && share <= 1.0)
        {
            return Err(ConfigError::new("objective cosine-top", "a share in (0, 1]", share));
        }
        if self.layers == Layers::Last(0) {
            return Err(ConfigError::new("layers", "all, or the last 1 or more", "the last 0"));
        }
        for (setting, value) in [
            ("objective_weight", self.objective_weight),
            ("total_variation", self.total_variation),
            ("image_norm", self.image_norm),
            ("batch_norm", self.batch_norm),
            ("group_consistency", self.group_consistency),
            ("latent_kl", self.latent_kl),
        ] {
            weight(setting, value)?;
        }
        let in_range = |s: &usize| (2..=MAX_SCALE).contains(s);
        let falling = self.scales.windows(2).all(|pair| pair[0] > pair[1]);
        if self.scales.len() > MAX_SCALES || !falling || !self.scales.iter().all(in_range) {
            let expected = format!("up to {MAX_SCALES} falling factors from {MAX_SCALE} to 2");
            return Err(ConfigError::new("scales", expected, format!("{:?}", self.scales)));
        }
        if self.sought != Sought::Pixels {
            if !self.scales.is_empty() {
                let found = format!("{:?}", self.scales);
                return Err(ConfigError::new("scales", "none where pixels are not what is moved", found));
            }
            self.weights_rate.map_or(Ok(()), |rate| positive("weights_rate", rate))?;
            self.radii.iter().try_for_each(|&radius| weight("radii", radius))?;
            if self.sought == Sought::Features && self.radii.is_empty() {
                return Err(ConfigError::new("radii", "1 or more", 0));
            }
            if !matches!(self.optimiser, Optimiser::Adam { .. }) {
                let expected = format!("adam for {}", self.sought);
                return Err(ConfigError::new("optimiser", expected, "lbfgs"));
            }
        }
        self.optimiser.check()?;
        self.guidance.map_or(Ok(()), |guidance| guidance.check())
    }
}

impl Optimiser {
    /// # Errors
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        match *self {
            Optimiser::Adam { learning_rate, sign, warm_up, langevin, .. } => {
                positive("learning_rate", learning_rate)?;
                if let Sign::Soft(slope) = sign {
                    positive("slope of the soft sign", slope)?;
                }
                within("warm_up", warm_up, 0, MAX_ITERATIONS)?;
                weight("langevin", langevin)
            }
            Optimiser::Lbfgs { inner, history, stop } => {
                within("inner iterations of L-BFGS", inner, 1, MAX_INNER)?;
                within("history of L-BFGS", history, 1, MAX_INNER)?;
                weight("stop of L-BFGS", stop)
            }
        }
    }
}

impl Guidance {
    /// # Errors
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Guidance { weight: lambda, schedule, views } = *self;
        weight("weight of guidance", lambda)?;
        views.map_or(Ok(()), |views| within("views of guidance", views, 1, MAX_VIEWS))?;
        match schedule.is_possible() {
            true => Ok(()),
            false => {
                let Anneal { from, to, .. } = schedule;
                let found = format!("{from} to {to}");
                Err(ConfigError::new("fall of guidance", "shares 0 ≤ from ≤ to < 1", found))
            }
        }
    }
}

impl Setting<'_> {
    /// Whether these targets can be attacked so, as far as it can be told without a device.
    ///
    /// # Errors
    /// The first thing that makes no sense, does not fit, or is not granted by the threat model.
    pub fn check(&self, guide: Option<&Guide>, targets: &[Target]) -> Result<(), AttackError> {
        self.config.check()?;
        within("batch", self.batch, 1, MAX_BATCH)?;
        within("restarts", self.restarts, 1, MAX_RESTARTS)?;
        self.protocol.check(self.batch)?;
        self.protocol.loss.check(self.victim.model.classes).map_err(ProtocolError::Loss)?;
        self.views.iter().try_for_each(|view| match *view {
            View::Clip(limit) => positive("norm that a view clips to", limit),
            View::Support | View::SoftSign => Ok(()),
        })?;
        let model = &self.victim.model;
        if self.protocol.mode == Mode::Train {
            for each in self.protocol.clients.sizes(self.batch) {
                let batches = self.protocol.batches(each);
                batches.iter().try_for_each(|&(_, count)| model.check_train(count))?;
            }
        }
        let (channels, found) = (model.image[0], self.normalisation.mean().len());
        if channels != found {
            return Err(ConfigError::new("channels of the normalisation", channels, found).into());
        }
        if targets.is_empty() {
            return Err(ConfigError::new("targets", "1 or more", 0).into());
        }
        targets
            .iter()
            .enumerate()
            .try_for_each(|(number, target)| self.check_target(number, target, targets))?;
        if let Some(guide) = guide {
            guide.check(targets.len())?;
        }
        way::check(self, guide)?;
        Ok(self.threat.allow(&self.uses(guide, targets))?)
    }

    fn check_target(&self, number: usize, target: &Target, all: &[Target]) -> Result<(), AttackError> {
        let wrong = |what: &str, expected: String, found: String| {
            Err(AttackError::Target { target: number, what: what.into(), expected, found })
        };
        let specs = self.victim.gradient_specs();
        if target.gradient.len() != specs.len() {
            let (expected, found) = (specs.len().to_string(), target.gradient.len().to_string());
            return wrong("tensors of the gradient", expected, found);
        }
        for (spec, tensor) in specs.iter().zip(&target.gradient) {
            let elements: usize = spec.shape.iter().product();
            if tensor.len() != elements {
                let what = format!("elements of '{}'", spec.name);
                return wrong(&what, elements.to_string(), tensor.len().to_string());
            }
        }
        if let Some(labels) = &target.labels {
            let classes = self.victim.model.classes;
            if labels.len() != self.batch {
                return wrong("labels", self.batch.to_string(), labels.len().to_string());
            }
            if let Some(label) = labels.iter().find(|&&label| label >= classes) {
                return wrong("labels", format!("indices below {classes}"), label.to_string());
            }
        }
        if target.labels.is_some() != all[0].labels.is_some() {
            return Err(AttackError::Invalid("labels are given for some targets and not for others".into()));
        }
        if target.weights.is_some() != all[0].weights.is_some() {
            return Err(AttackError::Invalid("weights are given for some targets and not for others".into()));
        }
        if let Some(weights) = &target.weights {
            if weights.len() != specs.len() {
                return wrong("weights of tensors", specs.len().to_string(), weights.len().to_string());
            }
            if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
                return wrong("weights of tensors", "finite ones ≥ 0".into(), weight.to_string());
            }
        }
        self.check_statistics(target, &wrong)
    }

    /// What the batch-norm prior needs of a target.
    fn check_statistics(
        &self,
        target: &Target,
        wrong: &dyn Fn(&str, String, String) -> Result<(), AttackError>,
    ) -> Result<(), AttackError> {
        let wanted =
            self.config.batch_norm != 0.0 && self.config.batch_norm_target == StatisticsTarget::Batch;
        let expected: Vec<usize> = match wanted {
            true => self.victim.buffer_specs().iter().map(|spec| spec.shape.iter().product()).collect(),
            false => return Ok(()),
        };
        let found: Vec<usize> = target.statistics.iter().flatten().map(Vec::len).collect();
        match found == expected {
            true => Ok(()),
            false => wrong("batch-norm statistics", format!("{expected:?} elements"), format!("{found:?}")),
        }
    }
}

impl Guide<'_> {
    fn check(&self, targets: usize) -> Result<(), AttackError> {
        let invalid = |message: String| Err(AttackError::Invalid(message));
        if self.hypotheses.len() != targets {
            return invalid(format!("hypotheses for {} targets, expected {targets}", self.hypotheses.len()));
        }
        if self.width == 0 || self.names.is_empty() || !self.names.len().is_multiple_of(self.width) {
            let (values, width) = (self.names.len(), self.width);
            return invalid(format!("names of {values} values: expected 1 or more vectors of {width}"));
        }
        let mut tape = Tape::new();
        let side = self.encoder.image_size();
        let pixels = tape.input(&[1, CHANNELS, side, side]);
        let (features, _) = self.encoder.encode_image(&mut tape, pixels);
        if tape.shape(features)[1] != self.width {
            let (found, width) = (tape.shape(features)[1], self.width);
            return invalid(format!(
                "names of {width} values, expected {found} as the encoder's of pictures"
            ));
        }
        let count = self.names.len() / self.width;
        let mut rows = self.hypotheses.iter().flatten().flat_map(|hypothesis| hypothesis.values());
        match rows.find(|&&row| row >= count) {
            Some(row) => invalid(format!("a hypothesis takes name {row} of {count}")),
            None => Ok(()),
        }
    }
}
