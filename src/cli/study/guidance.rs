//! `gia-gpu study guidance`

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{
    attack_options::AttackOptions,
    clients::check_out,
    clip_options::open_encoder,
    data_options::DataOptions,
    data_options::open_data,
    defence_options::DefenceOptions,
    help::group,
    judge_options::JudgeOptions,
    misuse,
    model_options::VictimOptions,
    naming_options::NamingOptions,
    note,
    options::{DeviceOptions, NormalisationOptions, at_least_one, check_batch, numbers},
    print_json, print_line,
    progress::Terminal,
    spelled::spelled,
    sweep::named,
};
use crate::{
    attack::{
        config::{AttackConfig, Sought},
        guidance::{Anneal, Guidance},
        looks::MAX_VIEWS,
    },
    audit::{Audit, NamingModel, guidable},
    data::BatchRule,
    federated::Protocol,
    hypotheses::readers,
    metrics::lpips::Lpips,
    study::{
        self,
        guidance::{Metric, Moved, Setting},
    },
    sweep::NAMED_AT_ONCE,
};

/// What a naming model can pull at.
const PULLED: [Sought; 2] = [Sought::Pixels, Sought::Pyramid];
/// Most iterations of an attack of the study, unless told otherwise: there are many.
const ITERATIONS: usize = 1_000;

/// What names add that draw pictures to them.
///
/// Attack the same batches without guidance, guided by the true names, and guided by names of other classes. All
/// have the same starts, budget and labels. What the true names add is the paired difference to the attack without; what
/// any names would add is the difference that those of other classes make. Names are read by the model that guided, which
/// is no independent witness of what it has pulled at; likeness to the originals (SSIM) is.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu study guidance\n  gia-gpu study guidance --data cifar/test --batch-sizes 1,2,4 \
                  --batches 48 --guide-weights 0.002,0.02 --out guidance"
)]
pub(crate) struct GuidanceStudy {
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: Option<PathBuf>,
    /// Names of the victim's classes, in order, which folders are matched with
    ///
    /// Separated by commas, or a file with a name a line.
    #[arg(long, value_name = "NAMES|FILE", requires = "data", help_heading = group::INPUT)]
    class_names: Option<String>,
    /// Pictures in a batch
    #[arg(long, value_name = "N,N", default_value = "1,2,4")]
    batch_sizes: String,
    /// Batches of each size
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one())]
    batches: usize,
    /// Which labels a batch may have
    #[arg(long, value_name = "R", value_parser = spelled::<BatchRule>(), default_value = "stratified", help_heading = group::INPUT)]
    batch_labels: BatchRule,
    /// Values of λ that are compared
    #[arg(long, value_name = "W,W", default_value = "0.002,0.02", help_heading = group::ATTACK)]
    guide_weights: String,
    /// Copies of each picture that names pull at, of which each is compared; none: the picture as it is
    #[arg(long, value_name = "none|N,…", default_value = "none", help_heading = group::ATTACK)]
    guide_views: String,
    /// What is moved, of which each is compared: pixels, pyramid, latent, latent-weights
    ///
    /// Pixels and a pyramid are drawn to names by a naming model. latent is the latent of a class-conditional generator, for
    /// which names say the class; without names the class is sought, too. latent-weights moves the generator's weights after
    /// that. Both are attacks of preset gias, with as many iterations in all.
    #[arg(long, value_name = "P,P", default_value = "pixels", help_heading = group::ATTACK)]
    parameterisations: String,
    /// How the pull falls, as for `run --guide`
    #[arg(long, value_name = "SHAPE[:FROM:TO]", value_parser = spelled::<Anneal>(), help_heading = group::ATTACK)]
    guide_schedule: Option<Anneal>,
    /// Further models that pull, beside --clip, of which each is compared
    #[arg(long, value_name = "MODEL,MODEL", help_heading = group::NAMING)]
    pullers: Option<String>,
    #[command(flatten)]
    judge: JudgeOptions,
    /// By what the setting of each batch size is selected: the gain of true names over nothing
    #[arg(long, value_name = "M", value_parser = spelled::<Metric>(), default_value = "ssim")]
    select_by: Metric,
    /// New batches of each size on which the selected setting is tried, beside nothing and other names
    #[arg(long, value_name = "N", default_value_t = 0)]
    confirm: usize,
    /// Weights of LPIPS (AlexNet), as for `run`
    #[arg(long, value_name = "FILE", help_heading = group::INPUT)]
    lpips: Option<PathBuf>,
    #[command(flatten)]
    defence: DefenceOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    attack: AttackOptions,
    #[command(flatten)]
    naming: NamingOptions,
    /// Seed of batches, weights, class order and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for guidance.csv, a row a batch, plots and the journal
    ///
    /// The journal has what is finished: the same command goes on from there.
    #[arg(long, value_name = "DIR", default_value = "guidance", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl GuidanceStudy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_out(self.data.as_deref(), &self.out)?;
        let dataset = open_data(self.data.as_deref(), self.class_names.as_deref())?;
        let (sizes, config) = (self.sizes()?, self.config()?);
        let further = self.pullers.iter().flat_map(|all| all.split(',')).count();
        let settings = self.settings(1 + further, &config)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let restarts = self.attack.trials;
        let mut audit = Audit {
            normalisation,
            restarts,
            seed: self.seed,
            defences: self.defence.defences(&Protocol::default())?,
            adaptive: self.defence.adaptive,
            ..Audit::new(victim, config)
        };
        self.attack.generator.open_for(&mut audit)?;
        let Some(model) = self.naming.open(Some(&dataset.class_names))? else {
            return Err(misuse("a study of guidance needs a model and names: give --clip and --names"));
        };
        let judge = self.judge.open(&model)?;
        let models = self.models(model)?;
        let lpips = self.lpips.as_deref().map(Lpips::read).transpose()?;
        let device = self.device.open()?;
        let mut namers = vec![];
        for (_, model) in &models {
            let Some(namer) = self.naming.namer(model, &*device, NAMED_AT_ONCE)? else {
                return Err(misuse("no model that compares pictures with names"));
            };
            namers.push(namer);
        }
        let judge = JudgeOptions::namer(judge.as_ref(), &*device, NAMED_AT_ONCE)?;
        let pulled = settings.iter().any(|setting| setting.weight.is_some());
        if self.select_by == Metric::Judge && judge.is_none() && pulled {
            return Err(misuse("--select-by judge needs one that did not pull: give --judge"));
        }
        if self.select_by == Metric::Lpips && lpips.is_none() {
            return Err(misuse("--select-by lpips needs its weights: give --lpips"));
        }
        let same = namers.iter().flat_map(|namer| readers::notes(pulled, namer, judge.as_ref()));
        let notes: Vec<String> = same.take(1).collect();
        notes.iter().for_each(|text| note(text));
        let study = study::GuidanceStudy {
            device: &*device,
            dataset: &dataset,
            models: &models,
            sizes,
            batches: self.batches,
            rule: self.batch_labels,
            settings,
            schedule: Guidance::new(1.0, self.guide_schedule.unwrap_or_default()),
            select_by: self.select_by,
            confirm: self.confirm,
            lpips: lpips.as_ref(),
        };
        let report = study.run(audit, (namers, judge), notes, &self.out, &Terminal).map_err(named)?;
        if self.json {
            return print_json(&report);
        }
        let written: Vec<String> = report.written.iter().map(|path| path.display().to_string()).collect();
        print_line(format!("{}\nwrote {}", report.table(), written.join(", ")))
    }

    fn sizes(&self) -> anyhow::Result<Vec<usize>> {
        let sizes: Vec<usize> = numbers("--batch-sizes", &self.batch_sizes)?;
        sizes.iter().try_for_each(|&size| check_batch(size))?;
        Ok(sizes)
    }

    fn weights(&self) -> anyhow::Result<Vec<f64>> {
        let weights: Vec<f64> = numbers("--guide-weights", &self.guide_weights)?;
        match weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
            Some(weight) => Err(misuse(format!("--guide-weights: expected weights > 0, found {weight}"))),
            None => Ok(weights),
        }
    }

    /// Every weight with every number of views, parameterisation and model; and each kind of generator.
    fn settings(&self, models: usize, config: &AttackConfig) -> anyhow::Result<Vec<Setting>> {
        let weights = self.weights()?;
        let views = |text: &str| match text.trim() {
            "none" => Ok(None),
            text => match text.parse() {
                Ok(views @ 1..=MAX_VIEWS) => Ok(Some(views)),
                _ => Err(misuse(format!(
                    "--guide-views: expected none or 1 to {MAX_VIEWS}, separated by commas, found '{text}'"
                ))),
            },
        };
        let views: Vec<Option<usize>> = self.guide_views.split(',').map(views).collect::<Result<_, _>>()?;
        let moved =
            |text: &str| text.trim().parse().map_err(|error| misuse(format!("--parameterisations: {error}")));
        let moved: Vec<Moved> = self.parameterisations.split(',').map(moved).collect::<Result<_, _>>()?;
        let (made, pulled): (Vec<Moved>, Vec<Moved>) = moved.into_iter().partition(|moved| moved.is_made());
        if let Some(moved) = pulled.first().filter(|_| !PULLED.contains(&config.sought)) {
            return Err(misuse(format!(
                "--parameterisations {moved}: preset {} moves {}: expected latent or latent-weights",
                config.preset, config.sought
            )));
        }
        let of_generator =
            |parameterisation| Setting { weight: None, views: None, parameterisation, puller: 0 };
        let mut settings: Vec<Setting> = made.into_iter().map(of_generator).collect();
        for puller in 0..models {
            for &parameterisation in &pulled {
                for &views in &views {
                    settings.extend(weights.iter().map(|&weight| Setting {
                        weight: Some(weight),
                        views,
                        parameterisation,
                        puller,
                    }));
                }
            }
        }
        Ok(settings)
    }

    /// What pulls: --clip and further ones, with the same names.
    fn models(&self, model: NamingModel) -> anyhow::Result<Vec<(String, NamingModel)>> {
        let mut models = vec![(model.encoder.model(), model)];
        for path in self.pullers.iter().flat_map(|all| all.split(',')) {
            let encoder = open_encoder(Some(Path::new(path.trim())), None)?;
            let (names, templates) = (models[0].1.names.clone(), models[0].1.templates.clone());
            models.push((encoder.model(), NamingModel { encoder, names, templates }));
        }
        Ok(models)
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.name();
        let mut config = self.attack.config(name)?;
        if self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(ITERATIONS);
        }
        guidable(&config)?;
        Ok(config)
    }
}
