//! Many attacks side by side: batch sizes, victims, defences and seeds, so that one can see what makes an update give
//! more or less away.
//!
//! A [`Sweep`] is a list of [`Cell`]s ([`Plan`]). Each is measured once ([`Record`]) and then stands in a [`Journal`],
//! from which all else follows: the results as CSV ([`results`]), the same pooled over seeds ([`points`]), plots of these
//! ([`plots`]), a table and a page. A sweep that dies goes on behind the journal's last whole line.

mod attack_names;
mod attacked;
mod attacks;
mod batch_script;
mod block;
mod blocks;
pub mod command;
mod configuration;
mod cost;
mod environment;
mod error;
mod folder;
mod groups;
mod journal;
mod laboratory;
mod lease;
mod naming;
mod page;
mod plan;
mod planned;
pub mod plots;
pub mod points;
mod record;
pub mod results;
mod run;
mod sample;
mod shard;
mod shards;
mod source;
mod swept;
mod table;
mod verdict;

use std::path::Path;

pub use attacked::{Attacked, AttackedBatch};
pub use batch_script::{Resources, scripts};
pub use block::Block;
pub use blocks::{Blocks, Entry, shard_journals};
pub use configuration::{Configuration, Difference};
pub use error::SweepError;
pub use groups::Groups;
pub use journal::Journal;
pub use plan::Plan;
pub use planned::{Planned, PlannedCell, PlannedShard};
pub use record::{
    BatchRecord, Cell, Figures, Finished, Pairings, Record, Seen, Timing, UNDEFENDED, UNTRAINED,
};
pub use run::Swept;
pub use sample::Sample;
pub use shard::{Shard, deal, imbalance};
pub use shards::Sharded;
pub use source::{Naming, Scores, Shares, Source};
pub use swept::{NamedDefence, Size, SweptVictim, Task};

use crate::{
    attack::threat::ThreatModel,
    audit::{Audit, NamingModel, SaidNormalisation, choose_normalisation, naming::Rule},
    data::{BatchRule, Dataset},
    device::Device,
    federated::{Victim, defence::Defence},
    metrics::lpips::Lpips,
    watch::{Silent, Watch},
};

/// Updates that are named together, where nothing else is said.
const TOGETHER: usize = 8;

/// Every victim at each of its batch sizes, behind every defence, with every seed.
pub struct Sweep<'a> {
    /// Where the clients' pictures come from.
    pub dataset: &'a Dataset,
    /// Which pictures make up a batch.
    pub rule: BatchRule,
    /// At least one.
    pub victims: Vec<SweptVictim>,
    /// At least one; [`NamedDefence::none`] is one, too.
    pub defences: Vec<NamedDefence>,
    /// Of batches, untrained weights, class order, noise and starts; at least one.
    pub seeds: Vec<u64>,
    /// The eavesdropper knows each defence and adapts to it.
    pub adaptive: bool,
    /// `None`: CIFAR-10's, for as many channels as each victim has.
    pub normalisation: Option<SaidNormalisation>,
    /// `None`: the eavesdropper knows whatever the attacks use.
    pub threat_model: Option<ThreatModel>,
    /// `None`: nothing is named.
    pub naming: Option<&'a NamingModel>,
    /// Public pictures with names, a folder a class; `None`: those inside the program, where names match.
    pub public: Option<&'a Dataset>,
    /// Weights of LPIPS; `None`: it is left out.
    pub lpips: Option<&'a Lpips>,
    /// How tables and plots give names, of which the results have both ways; and how much each batch counts where several
    /// are named together.
    pub naming_rule: Rule,
    /// Batches that are named together, at least 1.
    pub together: usize,
    /// Batches that are attacked together, a unit of work; `None`: as many as have 16 pictures.
    pub block: Option<usize>,
    /// What decides the results, as the caller says it; `None`: as these fields do.
    pub options: Option<Configuration>,
    /// The command as called, for the page.
    pub command: Vec<String>,
}

impl<'a> Sweep<'a> {
    /// Of undefended clients, with one seed; nothing is named.
    pub fn new(dataset: &'a Dataset, victims: Vec<SweptVictim>) -> Sweep<'a> {
        Sweep {
            dataset,
            rule: BatchRule::Stratified,
            victims,
            defences: vec![NamedDefence::none()],
            seeds: vec![42],
            adaptive: false,
            normalisation: None,
            threat_model: None,
            naming: None,
            public: None,
            lpips: None,
            naming_rule: Rule::default(),
            together: TOGETHER,
            block: None,
            options: None,
            command: vec![],
        }
    }

    /// Opens what the fields name, so that mistakes show before anything is computed.
    ///
    /// # Errors
    /// A cell that stands twice, victims, batches, defences that cannot be, knowledge that is not granted.
    pub fn plan(&self, watch: &dyn Watch) -> Result<Plan<'_>, SweepError> {
        Plan::new(self, watch)
    }

    /// Computes every cell that `out` does not hold yet, and writes tables, plots and page there. A sweep that was
    /// stopped goes on where it was.
    ///
    /// # Errors
    /// As [`Sweep::plan`] and [`Plan::run`].
    pub fn run(&self, device: &dyn Device, out: &Path, watch: &dyn Watch) -> Result<Swept, SweepError> {
        let plan = self.plan(watch)?;
        let namer = self.naming.map(|model| model.namer(device, NAMED_AT_ONCE, watch)).transpose()?;
        plan.run(&[device], namer, out, watch)
    }

    /// All that decides the results, field by field.
    fn described(&self) -> Configuration {
        let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
        let victims = self.victims.iter().enumerate();
        let configuration = victims.fold(Configuration::default(), |all, (i, victim)| {
            all.with(format!("victim {}, attacked", i + 1), text(victim))
        });
        configuration
            .with("batches", text(&self.rule))
            .with("defences", text(&self.defences))
            .with("seeds", text(&self.seeds))
            .with("adaptive", self.adaptive)
            .with("normalisation", text(&self.normalisation))
            .with("threat model", text(&self.threat_model))
            .with("names", text(&self.naming_rule))
            .with("public pictures", self.public.map_or("by default", |public| &public.name))
            .with("lpips", self.lpips.is_some())
            .with("batches named together", self.together)
            .with("batches attacked together", text(&self.block))
    }

    /// What happens in the cells of this victim, batch size and seed behind these defences. `opened`: its classes in
    /// the data set's order.
    fn audit(
        &self,
        victim: &SweptVictim,
        size: &Size,
        defences: &[Defence],
        seed: u64,
        opened: Victim,
    ) -> Result<Audit, SweepError> {
        let channels = opened.image_shape()[0];
        let normalisation = choose_normalisation(self.normalisation.as_ref(), None, channels, &Silent)?;
        Ok(Audit {
            victim: opened,
            protocol: size.protocol.clone(),
            defences: defences.to_vec(),
            adaptive: self.adaptive && !defences.is_empty(),
            normalisation,
            attack: victim.config.clone(),
            generator: victim.generator.clone(),
            restarts: victim.trials,
            labels_given: victim.labels_given,
            threat_model: self.threat_model.clone(),
            seed,
            first: 0,
            checkpoints: None,
        })
    }

    /// The batches of a victim's size and seed: the same for all victims of as many batches and for every defence, so
    /// that these can be compared in pairs.
    fn chosen(&self, batch_size: usize, batches: usize, seed: u64) -> Result<Vec<Vec<usize>>, SweepError> {
        self.dataset
            .random_batches(batch_size, batches, self.rule, seed)
            .map_err(|cause| SweepError::Batches { batch_size, batches, cause })
    }
}

/// Pictures that a naming model should take in one run: always as many, so that no cell's sums depend on another.
pub const NAMED_AT_ONCE: usize = 64;
