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

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// What was asked for makes no sense, in words.
    #[error("{0}")]
    Misuse(String),
    /// A name that makes no sense, or that the model does not know; `of`: what gave it.
    #[error("{of}: {cause}")]
    Name { of: String, cause: Box<ClipError> },
    /// A failure and what it happened to.
    #[error("{what}: {cause}")]
    Within { what: String, cause: Box<AuditError> },
    /// A file that does not hold what it should.
    #[error("{0}")]
    File(String),
    #[error(transparent)]
    NotGranted(#[from] ThreatError),
    #[error(transparent)]
    Attack(#[from] AttackError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Clip(#[from] ClipError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Exact(#[from] ExactError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Received(#[from] ReceivedError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Semantic(#[from] SemanticError),
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Victim(#[from] VictimError),
}

impl AuditError {
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
