//! Options of the attack: a preset, and changes to it.

use clap::Args;

use super::{generator_options::GeneratorOptions, help::group, misuse, spelled::spelled};
use crate::{
    attack::{
        check::{MAX_SCALE, MAX_SCALES},
        config::{
            AttackConfig, LabelStrategy, LayerWeights, Layers, Objective, Optimiser, Parameterisation,
            Schedule, Sign, Sought, Start, StatisticsTarget,
        },
        preset::Preset,
        way::Way,
    },
    nn::architecture::depth,
};

/// The attack.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::ATTACK)]
pub(crate) struct AttackOptions {
    /// Attack to start from; other options change its settings
    ///
    /// Without it auto for run and invert, ig elsewhere.
    #[arg(long, value_name = "P", value_parser = spelled::<Preset>())]
    preset: Option<Preset>,
    /// Iterations, in place of the preset's
    #[arg(long, value_name = "N")]
    pub iterations: Option<usize>,
    /// Restarts; the lowest objective is kept
    ///
    /// All restarts of an attack run side by side.
    #[arg(long, visible_alias = "restarts", value_name = "N", default_value_t = 1)]
    pub trials: usize,
    /// Distance between gradients
    #[arg(long, value_name = "D", value_parser = spelled::<Objective>())]
    objective: Option<Objective>,
    /// Tensors of the gradient that are matched
    #[arg(long, value_name = "L", value_parser = spelled::<Layers>())]
    layers: Option<Layers>,
    /// How much each of them counts
    #[arg(long, value_parser = spelled::<LayerWeights>())]
    layer_weights: Option<LayerWeights>,
    /// Weight of total variation
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    tv: Option<f64>,
    /// Total variation of gradients' lengths: √(∂x² + ∂y²)
    #[arg(long)]
    tv_isotropic: bool,
    /// Total variation of colour differences, too
    #[arg(long)]
    tv_opponents: bool,
    /// Weight of mean x²
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    image_norm: Option<f64>,
    /// Weight of the distance between batch-norm statistics
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    bn_prior: Option<f64>,
    /// Whose batch-norm statistics
    #[arg(long, value_parser = spelled::<StatisticsTarget>())]
    bn_target: Option<StatisticsTarget>,
    /// Weight of the distance from the mean of a target's trials
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    group_consistency: Option<f64>,
    /// Adam's learning rate
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// What Adam is given in place of the gradient ∇
    #[arg(long, value_name = "S", value_parser = spelled::<Sign>())]
    sign: Option<Sign>,
    /// How Adam's learning rate falls
    #[arg(long, value_parser = spelled::<Schedule>())]
    schedule: Option<Schedule>,
    /// Iterations over which Adam's learning rate rises first
    #[arg(long, value_name = "N")]
    warm_up: Option<usize>,
    /// Noise on each gradient, in learning rates
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    langevin: Option<f64>,
    /// Where reconstructions start
    #[arg(long, value_parser = spelled::<Start>())]
    start: Option<Start>,
    /// How pictures are moved that no generator makes
    ///
    /// Without it pixels. A pyramid moves shapes before patterns, so that names cannot pull at single pixels.
    #[arg(long, value_name = "P", value_parser = spelled::<Parameterisation>())]
    parameterisation: Option<Parameterisation>,
    #[command(flatten)]
    pub generator: GeneratorOptions,
    /// Begin with pictures smaller by these factors, as in 4,2; each is a quarter of the iterations
    #[arg(long, value_name = "N,N")]
    scales: Option<String>,
    /// Sets of rows that spear draws at most for a batch
    ///
    /// Without it 4,000,000.
    #[arg(long, value_name = "N")]
    budget: Option<u64>,
    /// How labels are found where they are not given
    #[arg(long, value_name = "M", value_parser = spelled::<LabelStrategy>())]
    restore_labels: Option<LabelStrategy>,
}

impl AttackOptions {
    /// The preset for this victim, `ig` if none is given, with the options' changes.
    pub(crate) fn config(&self, architecture: &str) -> anyhow::Result<AttackConfig> {
        self.config_or(Preset::Ig, architecture)
    }

    /// The same with another preset where none is given.
    pub(crate) fn config_or(&self, preset: Preset, architecture: &str) -> anyhow::Result<AttackConfig> {
        let preset = self.preset.unwrap_or(preset);
        if !(1..=4096).contains(&self.trials) {
            return Err(misuse(format!("--trials: expected 1 to 4096, found {}", self.trials)));
        }
        let mut config = AttackConfig::preset(preset.name(), depth(architecture)).map_err(misuse)?;
        match self.iterations {
            Some(0) => return Err(misuse("--iterations: expected 1 or more, found 0")),
            Some(n) if n > 10_000_000 => {
                return Err(misuse(format!("--iterations: expected at most 10,000,000, found {n}")));
            }
            Some(n) => config.iterations = n,
            None => {}
        }
        set(&mut config.objective, self.objective);
        set(&mut config.layers, self.layers);
        set(&mut config.layer_weights, self.layer_weights);
        set(&mut config.batch_norm_target, self.bn_target);
        self.check_sought(&config)?;
        self.generator.configure(&mut config)?;
        set(&mut config.sought, self.parameterisation.map(Sought::from));
        set(&mut config.start, self.start);
        set(&mut config.labels, self.restore_labels);
        set_weight(&mut config.total_variation, "--tv", self.tv)?;
        set_weight(&mut config.image_norm, "--image-norm", self.image_norm)?;
        set_weight(&mut config.batch_norm, "--bn-prior", self.bn_prior)?;
        set_weight(&mut config.group_consistency, "--group-consistency", self.group_consistency)?;
        config.isotropic |= self.tv_isotropic;
        config.colour_opponents |= self.tv_opponents;
        if let Some(scales) = &self.scales {
            config.scales = parse_scales(scales)?;
        }
        if let Some(budget) = self.budget {
            match &mut config.way {
                Way::Spear(spear) | Way::Auto(spear) if budget > 0 => spear.budget = budget,
                Way::Matching => return Err(misuse(format!("--budget is spear's, preset {preset} is none"))),
                _ => return Err(misuse("--budget: expected 1 or more, found 0")),
            }
        }
        self.change_adam(&mut config)?;
        config.check().map_err(misuse)?;
        Ok(config)
    }

    /// Pixels, decoders and generators have options of their own.
    fn check_sought(&self, config: &AttackConfig) -> anyhow::Result<()> {
        let sought = config.sought;
        if let Some(wanted) = self.parameterisation {
            let wrong = |why: &str| {
                Err(misuse(format!("--parameterisation {wanted}: preset {} {why}", config.preset)))
            };
            match (sought, &config.way) {
                (Sought::Pixels, Way::Matching | Way::Auto(_)) => {}
                (Sought::Pixels, _) => return wrong("computes pictures, it moves none"),
                (other, _) => return wrong(&format!("moves {other}")),
            }
        }
        let sought = self.parameterisation.map_or(sought, Sought::from);
        let of_pixels = [("--start", self.start.is_some()), ("--scales", self.scales.is_some())];
        let of_pixels = of_pixels.into_iter().find(|(_, given)| *given && sought != Sought::Pixels);
        let of_pixels = of_pixels.map(|(option, _)| (option, "for pixels"));
        if let Some((option, whose)) = of_pixels.or_else(|| self.generator.misplaced(sought)) {
            let who = match self.parameterisation {
                Some(wanted) => format!("--parameterisation {wanted}"),
                None => format!("preset {}", config.preset),
            };
            return Err(misuse(format!("{option} is {whose}, {who} moves {sought}")));
        }
        self.generator.check_sought()
    }

    fn change_adam(&self, config: &mut AttackConfig) -> anyhow::Result<()> {
        let wanted = [
            ("--learning-rate", self.learning_rate.is_some()),
            ("--sign", self.sign.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--warm-up", self.warm_up.is_some()),
            ("--langevin", self.langevin.is_some()),
        ];
        let Optimiser::Adam { learning_rate, sign, schedule, warm_up, langevin } = &mut config.optimiser
        else {
            return match wanted.iter().find(|w| w.1) {
                Some((option, _)) => {
                    Err(misuse(format!("{option} is Adam's, preset {} uses L-BFGS", config.preset)))
                }
                None => Ok(()),
            };
        };
        if let Some(rate) = self.learning_rate {
            if !rate.is_finite() || rate <= 0.0 {
                return Err(misuse(format!("--learning-rate: expected a rate > 0, found {rate}")));
            }
            *learning_rate = rate;
        }
        set(sign, self.sign);
        set(schedule, self.schedule);
        set(warm_up, self.warm_up);
        set_weight(langevin, "--langevin", self.langevin)
    }
}

/// Overrides a setting where an option says so.
fn set<T>(setting: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *setting = value;
    }
}

fn set_weight(setting: &mut f64, name: &str, option: Option<f64>) -> anyhow::Result<()> {
    match option {
        Some(weight) if !weight.is_finite() || weight < 0.0 => {
            Err(misuse(format!("{name}: expected a weight ≥ 0, found {weight}")))
        }
        Some(weight) => {
            *setting = weight;
            Ok(())
        }
        None => Ok(()),
    }
}

/// `4,2`: falling factors.
fn parse_scales(text: &str) -> anyhow::Result<Vec<usize>> {
    let factor = |part: &str| part.trim().parse().ok().filter(|n| (2..=MAX_SCALE).contains(n));
    let scales: Option<Vec<usize>> = text.split(',').map(factor).collect();
    let falling = |s: &Vec<usize>| s.len() <= MAX_SCALES && s.windows(2).all(|pair| pair[0] > pair[1]);
    scales.filter(falling).ok_or_else(|| {
        misuse(format!("--scales: expected up to {MAX_SCALES} falling factors from {MAX_SCALE} to 2 as in 4,2, found '{text}'"))
    })
}
