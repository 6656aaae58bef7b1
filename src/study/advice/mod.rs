//! What would protect these clients: defences of rising strength against an eavesdropper who knows them, until what leaked
//! is no more than what is known without the update; then what the best of them cost.

mod cost;
mod frontier;
mod strengths;
mod words;

use crate::{
    audit::{Attacked, Audit, AuditError, Clients, ZERO},
    data::Dataset,
    device::Device,
    federated::defence::{Defence, client_protocol},
    report::{Advice, Answer, Tried, What},
    watch::{Stage, Watch},
};

/// Clients on whom each defence is tried: enough for an interval.
const BATCHES: usize = 8;

/// Whom to advise.
#[derive(Clone, Copy)]
pub struct Advisor<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// What was sent, and how it was attacked.
    pub audit: &'a Audit,
    /// Whose updates each defence is tried on.
    pub clients: &'a Clients,
    /// What the clients' pictures come from: accuracy is learned and measured on it.
    pub dataset: &'a Dataset,
    /// Pictures to learn from, at most.
    pub limit: usize,
    /// Passes over the pictures, of each training.
    pub epochs: usize,
}

/// A defence and what was sent and found behind it.
struct Trial {
    defences: Vec<Defence>,
    tried: Tried,
}

impl Advisor<'_> {
    /// `leaking`: what the undefended update gives away.
    ///
    /// # Errors
    /// The audit has a defence already; what attack and training refuse.
    pub fn advise(&self, leaking: &[What], watch: &dyn Watch) -> Result<Advice, AuditError> {
        if !self.audit.defences.is_empty() {
            return Err(AuditError::misuse("advice on defences: expected a client without one"));
        }
        let target = target(leaking);
        let clients = self.clients.clone().first(BATCHES);
        let mut advice = Advice {
            sentence: String::new(),
            batches: clients.batches.len(),
            tried: vec![],
            accuracy: None,
            frontier: vec![],
            notes: vec![],
            target,
        };
        if advice.target.is_empty() {
            advice.sentence = words::sentence(&advice);
            return Ok(advice);
        }
        let plain = self.behind(&[]).capture(self.device, &clients.batches, watch)?;
        let gradients: Vec<Vec<f32>> = plain.targets.iter().map(|target| target.gradient.concat()).collect();
        let families = strengths::families(self, &clients, &gradients)?;
        let all = 1 + families.iter().map(Vec::len).sum::<usize>();
        let stage = Stage::new(watch, "trying defences");
        let mut trials = vec![self.attempt(&[], &clients, &gradients, &advice.target, watch)?];
        let mut done = 1;
        for family in families {
            let next = done + family.len();
            for defence in family {
                stage.part(&defence.to_string(), done, all, None);
                done += 1;
                if let Err(why) = client_protocol(&self.audit.protocol, &[defence]) {
                    advice.notes.push(format!("{defence} and stronger were not tried: {why}"));
                    break;
                }
                if watch.is_stopped() {
                    advice.notes.push(format!("stopped before {defence}"));
                    break;
                }
                let trial = match self.attempt(&[defence], &clients, &gradients, &advice.target, watch) {
                    Ok(trial) => trial,
                    Err(error) if error.is_stopped() => {
                        advice.notes.push(format!("stopped at {defence}"));
                        break;
                    }
                    // What was tried before is worth its hours.
                    Err(error) => {
                        advice.notes.push(format!("{defence} could not be tried: {error}"));
                        continue;
                    }
                };
                let protects = trial.tried.protects;
                trials.push(trial);
                if protects {
                    break;
                }
            }
            done = next;
        }
        drop(stage);
        if !watch.is_stopped() {
            self.costs(&trials, &mut advice, watch)?;
        }
        advice.tried = trials.into_iter().map(|trial| trial.tried).collect();
        advice.sentence = words::sentence(&advice);
        Ok(advice)
    }

    /// The audit behind this defence, which the eavesdropper knows, whatever else was granted.
    fn behind(&self, defences: &[Defence]) -> Audit {
        let (defences, adaptive) = (defences.to_vec(), !defences.is_empty());
        Audit { defences, adaptive, threat_model: None, ..self.audit.clone() }
    }

    fn attempt(
        &self,
        defences: &[Defence],
        clients: &Clients,
        gradients: &[Vec<f32>],
        target: &[What],
        watch: &dyn Watch,
    ) -> Result<Trial, AuditError> {
        let audit = self.behind(defences);
        let captured = audit.capture(self.device, &clients.batches, watch)?;
        let pairs = captured.targets.iter().zip(gradients);
        let cosines: Vec<f64> = pairs.map(|(sent, plain)| cosine(&sent.gradient.concat(), plain)).collect();
        let similarity = cosines.iter().sum::<f64>() / cosines.len().max(1) as f64;
        let Attacked { outcome, kept, skipped } =
            audit.attack_captured(self.device, &clients.batches, captured, None, watch)?;
        let defence = match defences {
            [] => "none".to_string(),
            some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let Some(outcome) = outcome else {
            // Where something was sent, it is the attack that found no way in.
            let protects = skipped.iter().all(|skipped| skipped.reason == ZERO);
            let answer = if protects { Answer::NotShown } else { Answer::Failed };
            let tried = Tried { defence, similarity, answer, findings: vec![], protects };
            return Ok(Trial { defences: defences.to_vec(), tried });
        };
        let batches = kept.iter().map(|&i| clients.batches[i].clone()).collect();
        let clients = Clients { batches, ..clients.clone() };
        let judged = audit.judge(&clients, &outcome.pictures)?;
        let mut grounds = audit.grounds(&outcome, Some((&clients, &judged)), None)?;
        grounds.membership = audit.membership(self.device, &clients, watch)?;
        let verdict = grounds.verdict();
        let holds = |what: &What| verdict.of(*what).is_none_or(|f| f.answer == Answer::NotShown);
        let protects = target.iter().all(holds);
        let tried =
            Tried { defence, similarity, answer: verdict.answer, findings: verdict.findings, protects };
        Ok(Trial { defences: defences.to_vec(), tried })
    }
}

/// Pictures and members before all else; labels where they alone leak.
fn target(leaking: &[What]) -> Vec<What> {
    let grave: Vec<What> =
        [What::Pictures, What::Membership].into_iter().filter(|what| leaking.contains(what)).collect();
    match grave.is_empty() && leaking.contains(&What::Labels) {
        true => vec![What::Labels],
        false => grave,
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_target_where_they_alone_leak() {
        assert_eq!(target(&[What::Labels]), [What::Labels]);
        assert_eq!(
            target(&[What::Labels, What::Membership, What::Pictures]),
            [What::Pictures, What::Membership]
        );
        assert!(target(&[]).is_empty());
    }

    #[test]
    fn the_cosine_of_nothing_is_0() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 2.0]), 0.0);
        assert!((cosine(&[1.0, 1.0], &[1.0, 0.0]) - 0.5f64.sqrt()).abs() < 1e-12);
    }
}
