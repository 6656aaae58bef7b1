//! Gradients that somebody sent: names and pictures, with nothing to judge them by.

use super::{
    LabelKnowledge, Run,
    labels::{Parts, name_labels},
    report::Study,
};
use crate::{
    attack::invert::Setting,
    cli::{
        misuse,
        observation::{Observation, Observing},
        options::attack,
    },
    report::{Defences, OutputFolder},
};

impl Run {
    pub(super) fn take(self) -> anyhow::Result<()> {
        if self.labels == LabelKnowledge::Given {
            return Err(misuse(
                "--labels given: with --gradient nobody gives them; `gia-gpu invert --labels 3,5` takes them",
            ));
        }
        let Some(weights) = &self.victim.weights else {
            return Err(misuse("--gradient needs the victim's --weights"));
        };
        let choice = self.naming.open(None)?;
        let observing = Observing {
            model: &self.victim.model,
            weights,
            gradients: &self.gradient,
            observed: &self.observed,
            protocol: &self.protocol,
            threat: &self.threat,
            labels: None,
            batch: self.data.batch,
            attack: &self.attack,
            normalisation: &self.normalisation,
        };
        let Observation { victim, protocol, batch, normalisation, config, threat_model, targets } =
            observing.open()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let parts =
            Parts { device: &*device, options: &self.naming, choice: choice.as_ref(), seed: self.seed };
        let namer = parts.namer(batch * targets.len())?;

        let setting = Setting {
            victim: &victim,
            protocol: &protocol,
            views: &[],
            batch,
            normalisation: &normalisation,
            config: &config,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let (found, timing) = attack(&*device, &setting, &targets)?;
        let [_, height, width] = victim.image_shape();
        let pictures = found
            .iter()
            .map(|f| normalisation.denormalise(&f.best().images, height, width))
            .collect::<Result<Vec<_>, _>>()?;
        let semantic = namer
            .map(|mut namer| name_labels(&parts, &mut namer, &found, &pictures, None, &[]))
            .transpose()?;
        let paths: Vec<String> = self.gradient.iter().map(|path| path.display().to_string()).collect();
        let study = Study {
            device: &*device,
            setting,
            threat_model,
            data: paths.join(", "),
            defences: Defences::default(),
            timing,
            found: &found,
            pictures: &pictures,
            truth: None,
            semantic,
        };
        self.finish(&study, folder)
    }
}
