//! Pictures that are known: clients compute their gradients here, and what is found is judged.

use super::{
    ClassOrderChoice, DEMONSTRATION_BATCHES, LabelKnowledge, Run,
    labels::{Parts, name_labels},
    report::{Study, Truth, defences_record},
};
use crate::{
    attack::threat::{Knowledge, Use},
    cli::{
        clients::{ClientOptions, Clients, check_out},
        experiment::read_pictures,
        guidance_options::GuideChoice,
        misuse,
    },
    data::{Dataset, Picture},
    federated::Victim,
    report::OutputFolder,
};

impl Run {
    pub(super) fn simulate(mut self) -> anyhow::Result<()> {
        if !self.observed.is_default() {
            return Err(misuse("--kind says what a file of --gradient holds: there is none"));
        }
        let dataset = self.data.open()?;
        check_out(self.data.data.as_deref(), &self.out)?;
        if self.is_demonstration() {
            let most = (dataset.len() / self.data.batch()).clamp(1, DEMONSTRATION_BATCHES);
            self.data.batches.get_or_insert(most);
        }
        let config = self.attack_config()?;
        let oracle = Use::new(Knowledge::TrueNames, "guidance by the true names (--guide oracle)");
        let uses = if self.guide == Some(GuideChoice::Oracle) { vec![oracle] } else { vec![] };
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            labels_given: self.labels == LabelKnowledge::Given,
            shuffled: self.class_order == ClassOrderChoice::Shuffled,
            uses: &uses,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let clients = options.open(&dataset, &config)?;
        let Clients { victim, batches, order, .. } = &clients;
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
            Some(_) if batches.len() == 1 => unrelated(&dataset, victim, &batches[0].indices)?,
            _ => vec![],
        };
        let parts =
            Parts { device: &*device, options: &self.naming, choice: choice.as_ref(), seed: self.seed };
        let namer = parts.namer(self.data.batch() * batches.len())?;

        let experiment = clients.experiment(&*device, &config);
        let meanings = self.guide.as_ref().map(|guide| {
            let held = |index| batches.iter().any(|b| b.labels.contains(&index));
            let meanings = guide.meanings(victim.model.classes, &names)?;
            let meanings = if *guide == GuideChoice::Oracle { meanings.only(held) } else { meanings };
            meanings.encoded(choice.as_ref(), &*device)
        });
        let meanings = meanings.transpose()?;
        let outcome = experiment.run_guided(meanings.as_ref())?;
        let pictures = experiment.pictures(&outcome.found)?;
        let truth = Truth { batches, losses: &outcome.losses, names: &names, order };
        let semantic = namer
            .map(|mut namer| {
                name_labels(&parts, &mut namer, &outcome.found, &pictures, Some(&truth), &unrelated)
            })
            .transpose()?;
        let study = Study {
            device: &*device,
            setting: experiment.setting(&[], &clients.protocol),
            threat_model: clients.threat_model.clone(),
            data: dataset.name.clone(),
            defences: defences_record(&clients.defences, clients.adaptive),
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
fn unrelated(dataset: &Dataset, victim: &Victim, batch: &[usize]) -> anyhow::Result<Vec<Picture>> {
    let others: Vec<usize> = (0..dataset.len()).filter(|i| !batch.contains(i)).take(batch.len()).collect();
    read_pictures(dataset, victim, &others)
}
