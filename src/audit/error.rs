//! What can go wrong in an audit, and whose mistake it is.

use crate::{
    attack::{AttackError, checkpoint::CheckpointError, exact::ExactError, threat::ThreatError},
    clip::ClipError,
    data::DataError,
    device::DeviceError,
    federated::{ClientError, VictimError, received::ReceivedError},
    metrics::MetricsError,
    report::ReportError,
    semantic::SemanticError,
    tensor_file::TensorFileError,
    train::TrainError,
};

/// Why an audit fails; the command line's exit code follows from it.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// What was asked for makes no sense, in words.
    #[error("{0}")]
    Misuse(String),
    /// A name that makes no sense, or that the model does not know; `of`: what gave it.
    #[error("{of}: {cause}")]
    Name {
        /// The option or file that gave it.
        of: String,
        /// What is wrong with it.
        cause: Box<ClipError>,
    },
    /// A failure and what it happened to.
    #[error("{what}: {cause}")]
    Within {
        /// What it happened to.
        what: String,
        /// The failure.
        cause: Box<AuditError>,
    },
    /// A file that does not hold what it should.
    #[error("{0}")]
    File(String),
    /// The attack uses what the threat model does not grant.
    #[error(transparent)]
    NotGranted(#[from] ThreatError),
    /// The attack cannot be made.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The client's training gives nothing to send.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The naming model, a name or a picture for it is no good.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// Pictures cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The exact attack cannot be made.
    #[error(transparent)]
    Exact(#[from] ExactError),
    /// Pictures cannot be compared.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A client's file cannot be attacked.
    #[error(transparent)]
    Received(#[from] ReceivedError),
    /// The report cannot be made or written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Label indices cannot be named.
    #[error(transparent)]
    Semantic(#[from] SemanticError),
    /// A file of tensors is no good.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
    /// A network cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// There is no such victim.
    #[error(transparent)]
    Victim(#[from] VictimError),
}

impl AuditError {
    /// A [`Misuse`](AuditError::Misuse) in these words.
    pub fn misuse(message: impl std::fmt::Display) -> AuditError {
        AuditError::Misuse(message.to_string())
    }

    /// `of`: what gave the names that the model is asked for.
    pub fn of_names(of: impl Into<String>, cause: ClipError) -> AuditError {
        match cause {
            ClipError::LongLabel { .. }
            | ClipError::UnknownName { .. }
            | ClipError::EmptyLabel { .. }
            | ClipError::DuplicateLabel { .. }
            | ClipError::Examples { .. }
            | ClipError::NoLabels => AuditError::Name { of: of.into(), cause: cause.into() },
            cause => AuditError::Clip(cause),
        }
    }

    /// Whether the work was told to stop before it had found anything.
    pub fn is_stopped(&self) -> bool {
        match self {
            AuditError::Attack(AttackError::Exact { cause, .. }) => {
                matches!(cause, ExactError::Stopped { .. })
            }
            AuditError::Attack(AttackError::Stopped) => true,
            AuditError::Within { cause, .. } => cause.is_stopped(),
            _ => false,
        }
    }

    /// Whether the caller asked for what cannot be, as opposed to a failure of what was asked for.
    pub fn is_misuse(&self) -> bool {
        match self {
            AuditError::Misuse(_) | AuditError::Name { .. } | AuditError::NotGranted(_) => true,
            AuditError::Attack(
                AttackError::Threat(_)
                | AttackError::Config(_)
                | AttackError::Checkpoint(CheckpointError::Other { .. }),
            ) => true,
            AuditError::Attack(AttackError::Exact { cause, .. }) | AuditError::Exact(cause) => {
                cause.is_misuse()
            }
            AuditError::Clip(ClipError::Examples { .. }) => true,
            AuditError::Attack(AttackError::Patches { cause, .. }) => cause.is_misuse(),
            AuditError::Client(ClientError::Protocol(_)) => true,
            AuditError::Report(ReportError::Claim(error)) => error.is_misuse(),
            AuditError::Within { cause, .. } => cause.is_misuse(),
            AuditError::Victim(VictimError::Architecture(_) | VictimError::ClassCount { .. }) => true,
            _ => false,
        }
    }
}
