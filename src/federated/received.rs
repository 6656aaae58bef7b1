//! What a client's file comes to: the mean gradient, which layers it is of, and the client's batch norms.

use super::{
    Kind, Protocol, Victim,
    buffers::{self, Meaning},
    observed::{batch_statistics, mean_gradient},
    state_dict_lists,
};
use crate::{
    nn::Mode,
    tensor_file::{Extra, GradientFile, TensorFileError},
};

/// Buffers whose last part is one of these may stand beside gradients.
const BUFFERS: [&str; 2] = ["running_mean", "running_var"];

/// Why a client's file cannot be attacked.
#[derive(Debug, thiserror::Error)]
pub enum ReceivedError {
    /// The file, or a tensor of it, is no good.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The buffers that the client sent are missing or no good.
    #[error("the batch-norm statistics of the client (capture --send-buffers): {0}")]
    Buffers(TensorFileError),
    /// The client's buffers do not follow from the server's by one batch.
    #[error(
        "{path}: the client's batch would have a variance of {found} at '{tensor}', expected 0 or above: the running \
         statistics do not come from this server and this training"
    )]
    Variance {
        /// The file.
        path: String,
        /// Name of the running variance.
        tensor: String,
        /// The variance that the batch would have.
        found: f32,
    },
}

/// A client's file, understood.
pub struct Received {
    /// One tensor a trainable parameter, 0 where nothing was sent.
    pub gradient: Vec<Vec<f32>>,
    /// A factor for each tensor, 0 where its layer is frozen; `None` where all were sent.
    pub weights: Option<Vec<f32>>,
    /// The client's own running statistics, if the file has them all.
    pub buffers: Option<Vec<Vec<f32>>>,
    /// Whether they differ from the server's.
    pub mode: Option<Mode>,
    /// What was made of the file, for the person who knows what was saved.
    pub notes: Vec<String>,
}

impl Received {
    /// Reads what was sent of `pictures`. `wanted`: the buffers must be there.
    pub fn read(
        file: GradientFile,
        victim: &Victim,
        protocol: &Protocol,
        kind: Kind,
        pictures: usize,
        wanted: bool,
    ) -> Result<Received, ReceivedError> {
        let lists = state_dict_lists(&victim.declarations);
        let of_kind = if kind == Kind::Gradient { &lists[2..] } else { &lists[..] };
        let (file, positions) = file.by_name(of_kind)?;
        let specs = victim.gradient_specs();
        let (file, prefix) = file.file.tidied(&specs);
        let mut notes: Vec<String> = positions.iter().map(ToString::to_string).collect();
        notes.extend(prefix.map(|prefix| format!("the prefix '{prefix}' of all names was taken off")));
        let partial = file.parameters_of_some_layers(&specs, Extra::Allow(&BUFFERS))?;
        let weights = partial.weights();
        if weights.is_some() {
            let frozen = partial.sent.iter().filter(|sent| !**sent).count();
            notes.push(format!(
                "{frozen} of {} tensors are missing, or 0 as a whole: their layers are taken to be frozen and are not \
                 matched",
                specs.len()
            ));
        }
        let buffers = match file.parameters(&victim.buffer_specs(), Extra::Any) {
            Ok(found) if !found.is_empty() => Some(found.into_iter().map(|t| t.data).collect()),
            Err(error) if wanted => return Err(ReceivedError::Buffers(error)),
            _ => None,
        };
        let buffers = buffers.map(|sent: Vec<Vec<f32>>| {
            let meaning = buffers::meaning(victim, kind, protocol, &sent);
            if meaning == Meaning::Differences {
                notes.push("the running statistics are differences: the server's were added".into());
            }
            buffers::absolute(victim, meaning, sent)
        });
        let mode = buffers.as_ref().map(|own| match buffers::moved(victim, own) {
            true => Mode::Train,
            false => Mode::Eval,
        });
        let sent = partial.tensors.into_iter().map(|t| t.data).collect();
        let gradient = mean_gradient(victim, protocol, kind, pictures, sent);
        Ok(Received { gradient, weights, buffers, mode, notes })
    }

    /// Mean and variance of the client's batch at every batch norm in turn, if the file has the running statistics.
    pub fn statistics(
        &self,
        victim: &Victim,
        protocol: &Protocol,
        pictures: usize,
        path: &std::path::Path,
    ) -> Result<Option<Vec<Vec<f32>>>, ReceivedError> {
        let Some(returned) = &self.buffers else { return Ok(None) };
        let counts = victim.model.statistics_counts(protocol.clients.mean(pictures));
        let statistics = batch_statistics(victim, protocol, returned, &counts);
        match buffers::negative_variance(victim, &statistics) {
            Some((tensor, found)) => {
                Err(ReceivedError::Variance { path: path.display().to_string(), tensor, found })
            }
            None => Ok(Some(statistics)),
        }
    }
}
