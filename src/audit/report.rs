//! From an attack and what became of it to a report.

use std::path::Path;

use super::{
    Audit, AuditError, ClientBatch, Clients, Judged, Outcome, doubts, film::animation, page::page, rounds,
    verdict::Measure,
};
use crate::{
    attack::{
        config::Sought,
        invert::{LabelSource, Reconstruction},
        threat::ThreatModel,
    },
    device::{Device, DeviceInfo},
    federated::defence::{accountant, epsilon},
    report::{
        Advice, Batch, Defences, GuidanceRecord, Head, Likeness, LikenessFigures, OutputFolder, Restart,
        RunReport, Skipped, StageRecord, ThreatRecord, Verdict, animated_gif,
    },
    semantic::{SemanticReport, readings},
    watch::Silent,
};

/// All that a report is made of.
pub struct Findings<'a> {
    /// What was sent, and how it was attacked.
    pub audit: &'a Audit,
    /// The program as called.
    pub command: Vec<String>,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What the eavesdropper is granted, see [`Audit::granted`].
    pub threat_model: ThreatModel,
    /// Where the pictures or gradients come from.
    pub data: String,
    /// Absent where the gradients came from elsewhere.
    pub clients: Option<&'a Clients>,
    /// What came of clients and attack.
    pub outcome: &'a Outcome,
    /// What the labels mean; absent where naming was left out.
    pub semantic: Option<SemanticReport>,
    /// The same by a model that did not pull at the pictures.
    pub judge: Option<SemanticReport>,
    /// What guided the attack; absent where nothing did.
    pub guidance: Option<GuidanceRecord>,
    /// Whether the update tells who took part, see [`Audit::membership`]; absent where that cannot be measured.
    pub membership: Option<Measure>,
    /// `M`: how networks see the reconstructions, see [`Audit::likeness`]; empty where the originals are not known.
    pub likeness: Vec<Likeness>,
    /// `M`: the files that the gradients came from, in the order of the rounds; empty where they were captured here.
    pub files: Vec<String>,
    /// Batches that could not be attacked.
    pub skipped: Vec<Skipped>,
    /// What would protect the clients, where that was asked.
    pub advice: Option<Advice>,
    /// Whether `film.gif` is written, too.
    pub animated: bool,
}

/// What a report's head says beside the audit.
pub struct Circumstances<'a> {
    /// What the report says in the end.
    pub verdict: Verdict,
    /// The program as called.
    pub command: &'a [String],
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What the eavesdropper is granted, see [`Audit::granted`].
    pub threat_model: &'a ThreatModel,
    /// Where the pictures or gradients come from.
    pub data: &'a str,
    /// Absent where the gradients came from elsewhere.
    pub clients: Option<&'a Clients>,
    /// `M`, at least one
    pub found: &'a [Reconstruction],
}

impl Audit {
    /// The head of a report.
    pub fn head(&self, of: Circumstances) -> Head {
        let Audit { victim, protocol, normalisation, attack, restarts, seed, .. } = self;
        let first = &of.found[0];
        let granted = of.threat_model.clone();
        Head {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: of.command.to_vec(),
            verdict: of.verdict,
            seed: *seed,
            device: of.device,
            threat_model: ThreatRecord {
                generative_prior: self.prior(),
                ..ThreatRecord::new(granted, victim, protocol, attack, first.label_source)
            },
            protocol: protocol.clone(),
            attack: attack.clone(),
            architecture: victim.model.name.clone(),
            architecture_options: victim.model.options.to_string(),
            classes: victim.model.classes,
            class_order: of.clients.map(|clients| clients.order.labels().to_vec()),
            batch: first.labels.len(),
            restarts: *restarts,
            data: of.data.into(),
            normalisation: normalisation.clone(),
            defences: self.defences_record(),
        }
    }

    /// What makes the eavesdropper's pictures, where it is no pixels of their own, and what that was trained on.
    fn prior(&self) -> Option<String> {
        match (self.attack.sought, self.generator.as_ref().and_then(|generator| generator.from.clone())) {
            (Sought::Pixels | Sought::Pyramid, _) => None,
            (Sought::Decoder, _) => Some("a decoder that nobody trained: no data".into()),
            (Sought::Latent | Sought::LatentWeights | Sought::Features, from) => {
                Some(from.unwrap_or_else(|| "a DCGAN that nobody trained: no data".into()))
            }
        }
    }

    /// What came of it, on this device; nothing is named yet. `clients`: absent where the gradients came from elsewhere.
    ///
    /// # Errors
    /// The attack used what the threat model does not grant; what the clients' training refuses.
    pub fn findings<'a>(
        &'a self,
        device: &dyn Device,
        clients: Option<&'a Clients>,
        outcome: &'a Outcome,
    ) -> Result<Findings<'a>, AuditError> {
        let membership =
            clients.map(|clients| self.membership(device, clients, &Silent)).transpose()?.flatten();
        let likeness = clients.map(|clients| self.likeness(device, clients, &outcome.pictures, None));
        Ok(Findings {
            audit: self,
            command: vec![],
            device: device.info(),
            threat_model: self.granted(&[])?,
            data: clients.map_or(String::new(), |clients| clients.data.clone()),
            clients,
            outcome,
            semantic: None,
            judge: None,
            guidance: None,
            membership,
            likeness: likeness.transpose()?.unwrap_or_default(),
            files: vec![],
            skipped: vec![],
            advice: None,
            animated: false,
        })
    }
}

impl Findings<'_> {
    /// # Errors
    /// The originals cannot be compared with the reconstructions.
    pub fn report(&self) -> Result<RunReport, AuditError> {
        let Outcome { found, timing, .. } = self.outcome;
        let pictures = &self.outcome.pictures;
        let judged = self.clients.map(|clients| self.audit.judge(clients, pictures)).transpose()?;
        let mut grounds =
            self.audit.grounds(self.outcome, self.clients.zip(judged.as_ref()), self.semantic.as_ref())?;
        grounds.membership = self.membership;
        let mut verdict = grounds.verdict();
        if let Some(semantic) = self.semantic.as_ref().filter(|s| s.accuracy.is_none() && !s.is_at_chance()) {
            verdict.sentence = format!("{} {}", verdict.sentence, readings(semantic));
        }
        let head = self.audit.head(Circumstances {
            verdict,
            command: &self.command,
            device: self.device.clone(),
            threat_model: &self.threat_model,
            data: &self.data,
            clients: self.clients,
            found,
        });
        let source = found[0].label_source;
        let batches = (0..found.len()).map(|i| self.batch(i, judged.as_ref())).collect();
        Ok(RunReport {
            head,
            guidance: self.guidance.clone(),
            timing: *timing,
            interrupted: self.outcome.interrupted,
            metrics: judged.as_ref().map(|j| j.figures),
            likeness: LikenessFigures::of(&self.likeness),
            floors: judged.as_ref().map(|j| j.floors),
            labels: self
                .clients
                .filter(|_| source != LabelSource::Given)
                .map(|clients| self.audit.label_metrics(found, &clients.batches)),
            semantic: self.semantic.clone(),
            judge: self.judge.clone(),
            batches,
            rounds: rounds::rounds(self)?,
            skipped: self.skipped.clone(),
            advice: self.advice.clone(),
        })
    }

    /// Writes `report.json`, `report.html`, `grid.png` and `images/` to a folder, which is made where it is missing.
    pub fn save(&self, folder: &Path) -> Result<RunReport, AuditError> {
        let report = self.report()?;
        self.write(&report, OutputFolder::open(folder)?)?;
        Ok(report)
    }

    /// Writes the report, its page and all pictures.
    pub fn write(&self, report: &RunReport, mut folder: OutputFolder) -> Result<(), AuditError> {
        let film = self.audit.film(self.outcome)?;
        if self.animated {
            folder.set_animation(animated_gif(&animation(&film))?);
        }
        folder.set_page(page(self, report, &film).render()?);
        let originals = self.clients.map(Clients::originals);
        let pictures = self.outcome.pictures.concat();
        folder.set_unrounded(self.outcome.unrounded(self.audit), self.audit.victim.image_shape());
        Ok(folder.write(originals.as_deref(), &pictures, &captions(report), report)?)
    }

    /// What speaks against the update being what it is taken for.
    fn doubts(&self, number: usize) -> Vec<String> {
        let (found, loss) = (&self.outcome.found[number], self.outcome.losses.get(number).copied());
        let mut doubts = self.outcome.doubts.get(number).cloned().unwrap_or_default();
        doubts.extend(doubts::of_length(self.audit, found, loss));
        // Simulated clients have the normalisation that the eavesdropper takes them to have.
        if self.clients.is_none() {
            doubts.extend(doubts::of_normalisation(self.audit, found, &self.outcome.pictures[number]));
        }
        doubts
    }

    fn batch(&self, number: usize, judged: Option<&Judged>) -> Batch {
        let found = &self.outcome.found[number];
        let client = self.clients.map(|clients| (clients, &clients.batches[number]));
        let names = |(clients, batch): (&Clients, &ClientBatch)| -> Vec<String> {
            batch.labels.iter().map(|&index| clients.names[index].clone().unwrap_or_default()).collect()
        };
        let size = found.labels.len();
        Batch {
            pictures: match client {
                Some((_, batch)) => batch.indices.clone(),
                None => (number * size..(number + 1) * size).collect(),
            },
            true_labels: client.map(|(_, batch)| batch.labels.clone()),
            labels: found.labels.clone(),
            label_source: found.label_source,
            label_warnings: found.label_warnings.clone(),
            reason: found.reason.clone(),
            exact: found.exact.clone(),
            recomputed: found.recomputed,
            doubts: self.doubts(number),
            class_names: client.map(names),
            client_loss: self.outcome.losses.get(number).copied(),
            best_restart: found.best,
            restarts: Restart::all(found),
            stages: StageRecord::all(found.best()),
            metrics: judged.map(|j| j.comparisons[number].clone()),
            likeness: self.likeness.get(number).cloned(),
            validity: self.outcome.validity.get(number).cloned(),
        }
    }
}

impl Audit {
    /// What protected the client, as a report has it.
    pub fn defences_record(&self) -> Defences {
        let epsilon = epsilon(&self.defences);
        Defences {
            client: self.defences.iter().map(ToString::to_string).collect(),
            adaptive_eavesdropper: self.adaptive,
            epsilon,
            delta: epsilon.map(|_| accountant::DELTA),
        }
    }
}

/// What stands under each reconstruction: what was read out of it, and how like its original it is.
pub fn captions(report: &RunReport) -> Vec<String> {
    let mut captions = vec![];
    for (number, batch) in report.batches.iter().enumerate() {
        let named = report.semantic.as_ref().map(|s| &s.batches[number].labels);
        for (i, &index) in batch.labels.iter().enumerate() {
            let name =
                named.and_then(|labels| labels.iter().find(|l| l.index == index)).map(|l| l.name.clone());
            captions.push(match (&batch.metrics, name) {
                (Some(metrics), name) => {
                    let (psnr, ssim) = (&metrics.psnr.per_image.aligned, &metrics.ssim.per_image.aligned);
                    let ssim = if ssim[i].is_nan() { String::new() } else { format!("{:.2} ", ssim[i]) };
                    format!("{:.1} dB {ssim}{}", psnr[i], name.unwrap_or_default()).trim_end().into()
                }
                (None, Some(name)) => format!("label {index}: {name}"),
                (None, None) => format!("label {index}"),
            });
        }
    }
    captions
}
