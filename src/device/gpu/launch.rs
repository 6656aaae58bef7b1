//! One dispatch of one finished shader.

use super::wgsl::{Library, Values, WgslError, Words};
use crate::{device::DeviceError, plan::kernel::BufferId};

/// Most workgroups along one dimension of a dispatch.
const MAX_GROUPS: usize = 65_535;

#[derive(Clone)]
pub(crate) struct Launch {
    /// Name of the kernel's file.
    pub kernel: &'static str,
    /// Which of the kernel's texts, in words; empty where there is one.
    pub variant: String,
    pub source: String,
    /// The shader's `Params`, word by word.
    pub params: Vec<u32>,
    pub reads: Vec<Slot>,
    pub write: Slot,
    /// Workgroups of the dispatch; none where the result is empty.
    pub groups: [u32; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Buffer(BufferId),
    /// This many elements of the buffer of partial results, which lives from one launch to the next.
    Partials(usize),
}

impl Launch {
    /// Of a kernel by its name, what is filled into its text, and its parameters.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if the names are not the shader's, or a size is beyond 32 bits.
    pub(crate) fn new(
        kernel: &'static str,
        words: &Words,
        params: &Values,
        reads: Vec<Slot>,
        write: Slot,
        groups: [u32; 3],
    ) -> Result<Self, DeviceError> {
        let text = Library::BUILT_IN.finish(kernel, words)?;
        let params = text.params(params)?;
        Ok(Launch { kernel, variant: String::new(), source: text.source, params, reads, write, groups })
    }
}

impl From<WgslError> for DeviceError {
    fn from(error: WgslError) -> Self {
        DeviceError::Failed(error.to_string())
    }
}

/// A dispatch of `groups` workgroups, wrapped into rows; a shader finds its number as
/// `id.y · x + id.x`, where x is this dispatch's first extent.
pub(crate) fn fold(groups: usize) -> Result<[u32; 3], DeviceError> {
    let rows = groups.div_ceil(MAX_GROUPS).max(1);
    if rows > MAX_GROUPS || groups > u32::MAX as usize {
        return Err(DeviceError::Failed(format!("a kernel of {groups} workgroups cannot be dispatched")));
    }
    let columns = groups.div_ceil(rows);
    Ok([columns as u32, if groups == 0 { 0 } else { rows as u32 }, 1])
}
