//! Pictures that are known: clients compute their gradients here, and what is found is judged.

use super::{
    ClassOrderChoice, DEMONSTRATION_BATCHES, LabelKnowledge, Run,
    labels::{Parts, name_labels},
    report::{Study, Truth, defences_record},
};
use crate::{
    attack::{
        invert::Setting,
        threat::{Knowledge, Use},
    },
    cli::{
        data_options::DataOptions,
        experiment::{Experiment, read_pictures},
        guidance_options::GuideChoice,
        misuse,
        options::same_file,
        threat_options::Setup,
    },
    data::Dataset,
    device::host,
    federated::Victim,
    report::OutputFolder,
    semantic::ClassOrder,
    tensor_file::GradientInfo,
};

impl Run {
    pub(super) fn simulate(mut self) -> anyhow::Result<()> {
        if !self.observed.is_default() {
            return Err(misuse("--kind says what a file of --gradient holds: there is none"));
        }
        let dataset = self.data.open()?;
        if self.data.data.as_ref().is_some_and(|data| same_file(data, &self.out)) {
            let folder = self.out.display();
            return Err(misuse(format!(
                "--out {folder} is the data set: its report would become part of it"
            )));
        }
        if self.is_demonstration() {
            let most = (dataset.len() / self.data.batch()).clamp(1, DEMONSTRATION_BATCHES);
            self.data.batches.get_or_insert(most);
        }
        let config = self.attack_config()?;
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.data.batch())?;
        let defences = self.defence.defences(&protocol)?;
        let mut victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let labels_given = self.labels == LabelKnowledge::Given;
        let setup = Setup {
            config: &config,
            protocol: &protocol,
            labels_given,
            adaptive: self.defence.adaptive,
            batch_norm: victim.has_batch_norm(),
        };
        let oracle = Use::new(Knowledge::TrueNames, "guidance by the true names (--guide oracle)");
        let more = if self.guide == Some(GuideChoice::Oracle) { vec![oracle] } else { vec![] };
        let threat_model = self.threat.check_with(&setup, &more)?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let mut batches = self.data.read(&dataset, &victim)?;
        let order = match self.class_order {
            ClassOrderChoice::Shuffled => ClassOrder::shuffled(victim.model.classes, self.seed),
            ClassOrderChoice::DataSet => ClassOrder::kept(victim.model.classes),
        };
        order.apply(&mut victim);
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        let choice = self.naming.open(Some(&dataset.class_names))?;
        if let Some(choice) = &choice {
            let held: std::collections::BTreeSet<usize> =
                batches.iter().flat_map(|b| b.labels.iter().copied()).collect();
            self.naming.check_count(choice, held.len())?;
        }
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let names = order.names(&dataset.class_names);
        let unrelated = match choice {
            Some(_) if batches.len() == 1 => unrelated(&dataset, &victim, &batches[0].indices)?,
            _ => vec![],
        };
        let parts =
            Parts { device: &*device, options: &self.naming, choice: choice.as_ref(), seed: self.seed };
        let namer = parts.namer(self.data.batch() * batches.len())?;

        let experiment = Experiment {
            device: &*device,
            victim: &victim,
            protocol: &protocol,
            normalisation: &normalisation,
            config: &config,
            batches: &batches,
            defences: &defences,
            adaptive: self.defence.adaptive,
            labels_given,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let meanings = self.guide.as_ref().map(|guide| {
            let held = |index| batches.iter().any(|b| b.labels.contains(&index));
            let meanings = guide.meanings(victim.model.classes, &names)?;
            let meanings = if *guide == GuideChoice::Oracle { meanings.only(held) } else { meanings };
            meanings.encoded(choice.as_ref(), &*device)
        });
        let meanings = meanings.transpose()?;
        let outcome = experiment.run_guided(meanings.as_ref())?;
        let pictures = experiment.pictures(&outcome.found)?;
        let truth = Truth { batches: &batches, losses: &outcome.losses, names: &names, order: &order };
        let semantic = namer
            .map(|mut namer| {
                name_labels(&parts, &mut namer, &outcome.found, &pictures, Some(&truth), &unrelated)
            })
            .transpose()?;
        let study = Study {
            device: &*device,
            setting: Setting {
                victim: &victim,
                protocol: &protocol,
                views: &[],
                batch: experiment.batch(),
                normalisation: &normalisation,
                config: &config,
                restarts: self.attack.trials,
                seed: self.seed,
            },
            threat_model,
            data: dataset.name.clone(),
            defences: defences_record(&defences, self.defence.adaptive),
            timing: outcome.timing,
            found: &outcome.found,
            pictures: &pictures,
            truth: Some(truth),
            semantic,
            guidance: meanings.map(|m| m.record()),
        };
        self.finish(&study, folder)
    }
}

/// As many pictures as the batch has, from those that are not in it.
fn unrelated(
    dataset: &Dataset,
    victim: &Victim,
    batch: &[usize],
) -> anyhow::Result<Vec<crate::data::Picture>> {
    let others: Vec<usize> = (0..dataset.len()).filter(|i| !batch.contains(i)).take(batch.len()).collect();
    read_pictures(dataset, victim, &others)
}
