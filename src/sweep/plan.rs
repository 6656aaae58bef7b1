//! Everything that is known before a cell is computed, so that mistakes show then.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Cell, Configuration, Finished, Sweep, SweepError, SweptVictim, Task, attack_names::attack_names,
};
use crate::{
    attack::threat::ThreatModel,
    audit::{AuditError, note_positions},
    clip::zero_shot::Namer,
    data::Picture,
    device::DeviceInfo,
    federated::{Victim, defence::client_protocol},
    files::program,
    metrics::noise_like,
    watch::{Silent, Watch},
};

/// A sweep whose fields were found to make sense.
pub struct Plan<'s> {
    pub(super) sweep: &'s Sweep<'s>,
    /// In the order in which they are computed and listed.
    pub tasks: Vec<Task>,
    /// All that some cell uses.
    pictures: BTreeSet<usize>,
    /// A victim's name and what tells its network and file from others.
    facts: Vec<(String, String)>,
    /// With the victims that it is of.
    pub(super) threats: Vec<(ThreatModel, Vec<String>)>,
}

impl<'s> Plan<'s> {
    pub(super) fn new(sweep: &'s Sweep<'s>, watch: &dyn Watch) -> Result<Plan<'s>, SweepError> {
        check_counts(sweep)?;
        let mut plan =
            Plan { sweep, tasks: vec![], pictures: BTreeSet::new(), facts: vec![], threats: vec![] };
        for victim in &sweep.victims {
            plan.check(victim, watch)?;
        }
        plan.add_tasks()?;
        plan.add_pictures()?;
        Ok(plan)
    }

    /// Opens a victim and tries what its cells will be.
    fn check(&mut self, swept: &SweptVictim, watch: &dyn Watch) -> Result<(), SweepError> {
        let Sweep { dataset, defences, seeds, adaptive, .. } = self.sweep;
        swept.config.check().map_err(AuditError::misuse)?;
        let seed = seeds[0];
        let mut victim = swept.open(seed).map_err(AuditError::from)?;
        if let Some(path) = &swept.weights {
            note_positions(path, victim.positions.as_ref(), watch);
        }
        let (classes, name) = (victim.model.classes, victim.model.describe());
        if let Some(label) = dataset.labels().iter().max().copied().filter(|&label| label >= classes) {
            return Err(SweepError::Label { data: dataset.name.clone(), label, victim: name, classes });
        }
        self.facts.push((name.clone(), facts(&victim, swept)));
        for size in &swept.sizes {
            size.protocol.check(size.batch).map_err(AuditError::misuse)?;
            for defence in defences {
                client_protocol(&size.protocol, &defence.defences)
                    .and_then(|defended| defended.check(size.batch))
                    .map_err(|error| SweepError::Defence(error.to_string()))?;
            }
            let mut audit = self.sweep.audit(swept, size, &[], seed, victim)?;
            audit.adaptive = *adaptive;
            let threat = audit.granted(&[])?;
            victim = audit.victim;
            match self.threats.iter_mut().find(|(model, _)| *model == threat) {
                Some((_, victims)) if victims.contains(&name) => {}
                Some((_, victims)) => victims.push(name.clone()),
                None => self.threats.push((threat, vec![name.clone()])),
            }
        }
        Ok(())
    }

    fn add_tasks(&mut self) -> Result<(), SweepError> {
        let Sweep { victims, defences, seeds, .. } = self.sweep;
        let networks: Vec<String> = self.facts.iter().map(|(name, _)| name.clone()).collect();
        let attacks = attack_names(victims, &networks);
        for (v, victim) in victims.iter().enumerate() {
            for (d, defence) in defences.iter().enumerate() {
                for (s, size) in victim.sizes.iter().enumerate() {
                    for &seed in seeds {
                        let cell = Cell {
                            victim: self.facts[v].0.clone(),
                            weights: victim.training(),
                            batch_size: size.batch,
                            defence: defence.name.clone(),
                            attack: attacks[v].clone(),
                            seed,
                        };
                        if self.tasks.iter().any(|task| task.cell == cell) {
                            return Err(SweepError::Twice { cell: Box::new(cell) });
                        }
                        self.tasks.push(Task { victim: v, size: s, defence: d, cell });
                    }
                }
            }
        }
        Ok(())
    }

    fn add_pictures(&mut self) -> Result<(), SweepError> {
        let mut seen = BTreeSet::new();
        for task in &self.tasks {
            let wanted = (task.cell.batch_size, self.sweep.victims[task.victim].batches, task.cell.seed);
            if seen.insert(wanted) {
                let (batch_size, batches, seed) = wanted;
                self.pictures.extend(self.sweep.chosen(batch_size, batches, seed)?.concat());
            }
        }
        Ok(())
    }

    /// All that decides the results: the options, the program and its device, and what the files hold that the options
    /// name.
    pub(super) fn configuration(
        &self,
        device: &DeviceInfo,
        namer: Option<&mut Namer>,
    ) -> Result<Configuration, SweepError> {
        let dataset = self.sweep.dataset;
        let options = self.sweep.options.clone().unwrap_or_else(|| self.sweep.described());
        let configuration = options
            .with("version of gia-gpu", env!("CARGO_PKG_VERSION"))
            .with("program", program::fingerprint()?)
            .with("--device", device.facts());
        let mut crc = flate2::Crc::new();
        for &index in &self.pictures {
            let pixels = dataset.picture(index)?.pixels;
            crc.update(&(dataset.label(index)? as u64).to_le_bytes());
            pixels.iter().for_each(|value| crc.update(&value.to_le_bytes()));
        }
        let used = self.pictures.len();
        let data = format!("{used} of {} pictures, checksum {:08x}", dataset.len(), crc.sum());
        let victims = self.facts.iter().enumerate();
        let configuration = victims.fold(configuration.with("--data", data), |all, (i, (name, facts))| {
            all.with(format!("victim {}", i + 1), format!("{name}, {facts}"))
        });
        let Some(namer) = namer else { return Ok(configuration.with("naming", "none")) };
        // What the model says of a picture of noise tells it from others, and its names and templates.
        let noise = noise_like(&[Picture::flat(3, 32, 32, 0.5)?], 0);
        let rows = noise.into_iter().map(|picture| ("noise".to_string(), Ok(picture)));
        let rows = namer.rows(rows.collect::<Vec<_>>().into_iter(), &Silent).map_err(AuditError::from)?;
        let mut crc = flate2::Crc::new();
        rows.cosine.concat().iter().for_each(|value| crc.update(&value.to_le_bytes()));
        let names = namer.labels.join(",");
        let model = format!("{} with {names}, checksum {:08x}", namer.model(), crc.sum());
        Ok(configuration.with("naming", model))
    }

    /// How long the cells will take that are not `finished`, a place a task. Seconds for a unit of work are taken from
    /// the victim's finished cells, or from all of them where it has none.
    pub(super) fn left(&self, finished: &[Option<Finished>]) -> Option<Duration> {
        let pace = |victim: Option<usize>| {
            let mut seconds = 0.0;
            let mut work = 0.0;
            for (task, cell) in self.tasks.iter().zip(finished) {
                if let Some(cell) = cell.as_ref().filter(|_| victim.is_none_or(|v| v == task.victim)) {
                    seconds += cell.timing.seconds;
                    work += self.work(task);
                }
            }
            (work > 0.0).then_some(seconds / work)
        };
        let missing = self.tasks.iter().zip(finished).filter(|(_, cell)| cell.is_none());
        let seconds =
            missing.map(|(task, _)| Some(self.work(task) * pace(Some(task.victim)).or(pace(None))?));
        Duration::try_from_secs_f64(seconds.sum::<Option<f64>>()?).ok()
    }

    fn work(&self, task: &Task) -> f64 {
        self.sweep.victims[task.victim].work(task.cell.batch_size)
    }
}

/// Refuses sweeps without a cell, and cells without a batch.
fn check_counts(sweep: &Sweep) -> Result<(), SweepError> {
    let Sweep { victims, defences, seeds, together, .. } = sweep;
    let least = |count: fn(&SweptVictim) -> usize| victims.iter().map(count).min().unwrap_or(0);
    let counts = [
        ("victims of a sweep", victims.len()),
        ("batch sizes of a victim", least(|v| v.sizes.len())),
        ("pictures in a batch", least(|v| v.sizes.iter().map(|size| size.batch).min().unwrap_or(0))),
        ("batches of a cell", least(|v| v.batches)),
        ("restarts of an attack", least(|v| v.trials)),
        ("defences of a sweep", defences.len()),
        ("seeds of a sweep", seeds.len()),
        ("batches named together", *together),
    ];
    let none = counts.into_iter().find(|(_, count)| *count == 0);
    none.map_or(Ok(()), |(what, _)| Err(SweepError::Nothing { what }))
}

/// What tells a victim's network and file from others.
fn facts(victim: &Victim, swept: &SweptVictim) -> String {
    let fingerprint = match swept.weights {
        Some(_) => victim.fingerprint(),
        None => "by seed".into(),
    };
    let [channels, height, width] = victim.image_shape();
    format!("{channels}×{height}×{width}, {} classes, weights {fingerprint}", victim.model.classes)
}
