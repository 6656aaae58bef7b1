//! Names in a run: what names the pictures, and what stands beside that.

use super::Run;
use crate::{
    attack::threat::Use,
    audit::{Audit, Clients, EncodedMeanings, NamingModel, Outcome, Public, examples_use, naming::Beside},
    cli::{misuse, note, progress::Terminal},
    clip::zero_shot::Namer,
    device::Device,
    hypotheses::readers,
    report::GuidanceRecord,
    semantic::SemanticReport,
};

impl Run {
    /// What is to name the pictures, learned from examples or of known names; `None`: naming is left out.
    pub(super) fn naming_model(
        &self,
        audit: &Audit,
        clients: Option<&Clients>,
        class_names: Option<&[String]>,
        device: &dyn Device,
    ) -> anyhow::Result<Option<NamingModel>> {
        match self.examples.open(Some(audit), clients)? {
            Some(examples) => {
                let clip = self.naming.by_example()?;
                self.examples.learn(&examples, clip, Some(audit), device).map(Some)
            }
            None => self.naming.open(class_names),
        }
    }

    /// That the eavesdropper has examples of names, where it does.
    pub(super) fn examples_use(&self) -> Option<Use> {
        self.examples.is_given().then(examples_use)
    }

    /// What is to name so many pictures; `None`: naming is left out.
    pub(super) fn namer<'m>(
        &self,
        model: Option<&'m NamingModel>,
        device: &'m dyn Device,
        pictures: usize,
    ) -> anyhow::Result<Option<Namer<'m>>> {
        model.map_or(Ok(None), |model| self.naming.namer(model, device, pictures))
    }

    /// Public pictures with names that may be used; none where nothing is named.
    pub(super) fn public(
        &self,
        audit: &Audit,
        model: Option<&NamingModel>,
        clients: Option<&Clients>,
    ) -> anyhow::Result<Option<Public>> {
        let Some(model) = model else { return Ok(None) };
        let given = self.public.open()?;
        let public = audit.public(given.as_ref(), &model.names, clients)?;
        if given.is_some()
            && let Some(Public { clients_own: own @ 1.., source, .. }) = &public
        {
            note(&format!("{own} pictures of {source} are a client's, and no public ones"));
        }
        Ok(public)
    }

    /// What guides the pictures, if something does. `clients`: whose labels' meanings an oracle knows.
    pub(super) fn meanings<'m>(
        &self,
        audit: &Audit,
        clients: Option<&Clients>,
        model: Option<&'m NamingModel>,
        device: &dyn Device,
    ) -> anyhow::Result<Option<EncodedMeanings<'m>>> {
        let Some(guide) = &self.guide else { return Ok(None) };
        let names = clients.map_or(&[][..], |clients| &clients.names);
        let mut meanings = guide.meanings(audit.victim.model.classes, names)?;
        if let Some(clients) = clients.filter(|_| meanings.oracle) {
            meanings = meanings.only(|index| clients.hold(index));
        }
        let Some(model) = model else {
            return Err(misuse("--guide needs a model that compares pictures with names: give --clip"));
        };
        Ok(Some(meanings.encoded(model, device, &Terminal)?))
    }

    /// Who reads beside the model that pulls.
    pub(super) fn judge(&self, model: Option<&NamingModel>) -> anyhow::Result<Option<NamingModel>> {
        match (&self.guide, model) {
            (Some(_), Some(model)) => self.judge.open(model),
            (None, _) if self.judge.is_given() => {
                Err(misuse("--judge reads pictures that names pulled at: give --guide, too"))
            }
            _ => Ok(None),
        }
    }

    /// What guided, and what is to be said of who reads.
    pub(super) fn guidance_record(
        meanings: Option<EncodedMeanings>,
        namer: Option<&Namer>,
        judge: Option<&Namer>,
    ) -> Option<GuidanceRecord> {
        let record = meanings?.record();
        let note = namer.and_then(|namer| readers::notes(true, namer, judge).into_iter().next());
        note.iter().for_each(|text| crate::cli::note(text));
        Some(GuidanceRecord { note, ..record })
    }

    /// What the label indices mean.
    pub(super) fn names(
        &self,
        audit: &Audit,
        mut namer: Namer,
        outcome: &Outcome,
        clients: Option<&Clients>,
        beside: &Beside,
    ) -> anyhow::Result<SemanticReport> {
        let rule = self.naming.rule();
        let named = audit.name(&mut namer, rule, outcome, clients, beside, &Terminal)?;
        named.notes.iter().for_each(|text| note(text));
        Ok(named)
    }
}
