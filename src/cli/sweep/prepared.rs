//! A sweep's options with what they name: data, victims, defences, the naming model.

use std::{collections::BTreeSet, ffi::OsString, path::Path};

use clap::{ArgMatches, Args, Command};

use super::{
    Sweep, named,
    resolve::{configuration, resolve},
    victims,
};
use crate::{
    audit::NamingModel,
    cli::{
        clients::check_out, data_options::open_data, misuse, note, options::numbers, progress::Terminal,
        verbosity::Verbosity,
    },
    metrics::lpips::Lpips,
    sweep::{self, Plan},
};

/// Options that were read, from a file and the command line.
pub(crate) struct Prepared {
    pub sweep: Sweep,
    command: Command,
    matches: ArgMatches,
    /// The program as called.
    called: Vec<String>,
}

impl Prepared {
    /// `own`: the command line's options; `called`: the whole of it.
    pub(crate) fn new(
        file: Option<&Path>,
        own: Vec<OsString>,
        called: Vec<String>,
    ) -> anyhow::Result<Prepared> {
        let command = Command::new("gia-gpu sweep").disable_help_flag(true);
        let command = Verbosity::augment_args(Sweep::augment_args(command));
        let (sweep, matches) = resolve(file, &command, own)?;
        Ok(Prepared { sweep, command, matches, called })
    }

    /// Opens everything and finds out whether it fits together.
    pub(crate) fn with_plan<R>(
        &self,
        use_it: impl FnOnce(&Plan, Option<&NamingModel>) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let own = &self.sweep;
        if own.aggregate == 0 {
            return Err(misuse("--aggregate: expected 1 or more, found 0"));
        }
        let dataset = open_data(own.data.as_deref(), own.class_names.as_deref())?;
        check_out(own.data.as_deref(), &own.out)?;
        let seeds = numbers("--seeds", &own.seeds)?;
        let defences = victims::defences(&own.defences)?;
        if own.adaptive && defences.iter().all(|d| d.defences.is_empty()) {
            return Err(misuse("--adaptive needs --defences to adapt to"));
        }
        let embedded = own.data.is_none();
        let public = own.public.open()?;
        let normalisation = own.normalisation.given()?;
        if normalisation.is_none() {
            note("normalisation: cifar10 (assumed: --normalisation, or --mean and --std)");
        }
        let lpips = own.lpips.as_deref().map(Lpips::read).transpose()?;
        let threat_model = own.threat.open()?;
        let granted = threat_model.as_ref();
        let victims =
            victims::victims(&own.victim, &own.settings, &self.matches, &dataset, embedded, granted)?;
        let sweep = sweep::Sweep {
            dataset: &dataset,
            rule: own.batch_labels,
            victims,
            defences,
            seeds,
            adaptive: own.adaptive,
            normalisation,
            threat_model,
            naming: None,
            public: public.as_ref(),
            lpips: lpips.as_ref(),
            naming_rule: own.naming.rule(),
            together: own.aggregate,
            block: own.block,
            options: Some(configuration(&self.command, &self.matches)),
            command: self.called.clone(),
        };
        let plan = sweep.plan(&Terminal).map_err(named)?;
        let model = own.naming.open(Some(&dataset.class_names))?;
        if let Some(model) = &model {
            let held: BTreeSet<usize> = dataset.labels().iter().copied().collect();
            own.naming.check_count(model, held.len())?;
        }
        use_it(&plan, model.as_ref())
    }
}
