//! Everything that is known before a cell is computed, so that mistakes show then.

use std::collections::BTreeSet;

use clap::ArgMatches;

use super::{
    Sweep,
    laboratory::{check_victims, choose},
    victims::{self, NamedDefence, SweptVictim, Task},
};
use crate::{
    attack::threat::{Setup, ThreatModel},
    cli::{clients::check_out, defence_options, misuse, options::numbers, run::LabelKnowledge},
    clip::zero_shot::Namer,
    data::{BatchRule, Dataset, Picture, samples},
    report::noise_like,
    sweep::Configuration,
};

/// Everything that is known before a cell is computed.
pub struct Plan {
    pub dataset: Dataset,
    pub victims: Vec<SweptVictim>,
    pub defences: Vec<NamedDefence>,
    pub tasks: Vec<Task>,
    /// All that some cell uses.
    pub pictures: BTreeSet<usize>,
    /// A victim's name and what tells its network and file from others.
    pub facts: Vec<(String, String)>,
    /// With the victims that it is of.
    pub threats: Vec<(ThreatModel, Vec<String>)>,
}

impl Sweep {
    /// Reads all options and opens what they name, so that mistakes show before anything is computed.
    pub(super) fn plan(&self, matches: &ArgMatches) -> anyhow::Result<Plan> {
        if self.aggregate == 0 {
            return Err(misuse("--aggregate: expected 1 or more, found 0"));
        }
        let dataset = match &self.data {
            Some(path) => Dataset::open(path)?,
            None => samples(),
        };
        check_out(self.data.as_deref(), &self.out)?;
        let seeds: Vec<u64> = numbers("--seeds", &self.seeds)?;
        let defences = victims::defences(&self.defences)?;
        if self.adaptive && defences.iter().all(|d| d.defences.is_empty()) {
            return Err(misuse("--adaptive needs --defences to adapt to"));
        }
        let victims = victims::victims(&self.victim, &self.settings, matches, self.data.is_none())?;
        let mut threats: Vec<(ThreatModel, Vec<String>)> = vec![];
        let facts = check_victims(&victims, &dataset, seeds[0], |swept, victim, protocol| {
            defences.iter().try_for_each(|d| defence_options::check(protocol, &d.defences))?;
            self.normalisation.open(victim.image_shape()[0], None)?;
            let threat = self.threat.check(&Setup {
                config: &swept.config,
                protocol,
                labels_given: swept.settings.labels == LabelKnowledge::Given,
                adaptive: self.adaptive,
                batch_norm: victim.has_batch_norm(),
            })?;
            let name = victim.model.describe();
            match threats.iter_mut().find(|(model, _)| *model == threat) {
                Some((_, victims)) if victims.contains(&name) => {}
                Some((_, victims)) => victims.push(name),
                None => threats.push((threat, vec![name])),
            }
            Ok(())
        })?;
        let names: Vec<String> = facts.iter().map(|(name, _)| name.clone()).collect();
        let tasks = victims::tasks(&victims, &names, &defences, &seeds)?;
        let pictures = pictures(&dataset, &victims, &tasks, self.batch_labels)?;
        Ok(Plan { dataset, victims, defences, tasks, pictures, facts, threats })
    }

    /// What the files hold that the options name.
    pub(super) fn content(
        &self,
        configuration: Configuration,
        plan: &Plan,
        namer: &mut Option<Namer>,
    ) -> anyhow::Result<Configuration> {
        let dataset = &plan.dataset;
        let mut crc = flate2::Crc::new();
        for &index in &plan.pictures {
            let pixels = dataset.picture(index)?.pixels;
            crc.update(&(dataset.label(index)? as u64).to_le_bytes());
            pixels.iter().for_each(|value| crc.update(&value.to_le_bytes()));
        }
        let used = plan.pictures.len();
        let data =
            format!("{}, {used} of {} pictures, checksum {:08x}", dataset.name, dataset.len(), crc.sum());
        let victims = plan.facts.iter().enumerate();
        let configuration = victims.fold(configuration.with("--data", data), |all, (i, (name, facts))| {
            all.with(format!("victim {}", i + 1), format!("{name}, {facts}"))
        });
        let Some(namer) = namer else { return Ok(configuration.with("naming", "none")) };
        // What the model says of a picture of noise tells it from others, and its names and templates.
        let noise = noise_like(&[Picture::flat(3, 32, 32, 0.5)?], 0);
        let rows = noise.into_iter().map(|picture| ("noise".to_string(), Ok(picture)));
        let rows = namer.rows(rows.collect::<Vec<_>>().into_iter(), &mut |_, _, _| {})?;
        let mut crc = flate2::Crc::new();
        rows.cosine.concat().iter().for_each(|value| crc.update(&value.to_le_bytes()));
        let names = namer.labels.join(",");
        let model = format!("{} with {names}, checksum {:08x}", namer.model(), crc.sum());
        Ok(configuration.with("naming", model))
    }
}

/// All pictures that some cell uses.
fn pictures(
    dataset: &Dataset,
    victims: &[SweptVictim],
    tasks: &[Task],
    rule: BatchRule,
) -> anyhow::Result<BTreeSet<usize>> {
    let mut chosen = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for task in tasks {
        let wanted = (task.cell.batch_size, victims[task.victim].settings.batches, task.cell.seed);
        if seen.insert(wanted) {
            let (batch_size, batches, seed) = wanted;
            chosen.extend(choose(dataset, rule, batch_size, batches, seed)?.concat());
        }
    }
    Ok(chosen)
}
