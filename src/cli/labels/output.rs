//! Restored labels as a person or a program reads them.

use std::fmt::{Display, Formatter, Result};

use serde::Serialize;

use crate::attack::labels::{LabelMetrics, Restored};

/// A method's result, and how right it is where the truth is given.
#[derive(Serialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    restored: Restored,
    #[serde(flatten)]
    metrics: Option<LabelMetrics>,
}

impl Entry {
    pub(crate) fn new(restored: Restored, truth: Option<&[usize]>) -> Entry {
        let metrics = truth.map(|truth| LabelMetrics::new(&restored.counts, truth));
        Entry { restored, metrics }
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut Formatter) -> Result {
        let Restored { method, counts, real, confidence, warnings } = &self.restored;
        let present: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] > 0).collect();
        let batch: usize = counts.iter().sum();
        write!(f, "{method}: {batch} labels in {} of {} classes", present.len(), counts.len())?;
        if let Some(confidence) = confidence {
            write!(f, ", confidence {confidence:.3}")?;
        }
        if !present.is_empty() {
            write!(f, "\n{:>7}  {:>6}  {:>12}", "class", "count", "real")?;
        }
        for class in present {
            // Scores may be as small as gradients are.
            let real = match real[class] {
                r if r != 0.0 && r.abs() < 1e-3 => format!("{r:.4e}"),
                r => format!("{r:.4}"),
            };
            write!(f, "\n{class:>7}  {:>6}  {real:>12}", counts[class])?;
        }
        if let Some(LabelMetrics { le_acc, ln_acc, irec }) = self.metrics {
            write!(f, "\nLeAcc {le_acc:.3}, LnAcc {ln_acc:.3}, IRec {irec:.3}")?;
        }
        warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}
