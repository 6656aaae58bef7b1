//! The adapter's probes.

use std::{collections::HashMap, sync::Arc};

use super::{
    context::Context,
    executable::GpuExecutable,
    kernels::{probe_fma, probe_triad},
    launch::{Launch, Slot},
};
use crate::{
    device::{
        DeviceError,
        probe::{Limit, Probe},
    },
    plan::Plan,
    tape::Var,
};

/// Waits on an element of its own: what the probe writes is large.
const WAIT: usize = 0;

pub(crate) fn probe(context: Arc<Context>, limit: Limit) -> Result<Probe, DeviceError> {
    let (launch, amount, buffers) = prepare(limit, context.limits.max_storage_buffer_binding_size)?;
    let wait = Var::from_index(WAIT);
    let plan = Plan { buffers, bound: HashMap::from([(wait, (WAIT, 1))]), ..Plan::default() };
    let executable = Box::new(GpuExecutable::new(context, &plan, [vec![launch]])?);
    Ok(Probe { limit, amount, executable, wait })
}

/// The launch, what it does, and the lengths of the buffers, of which the first is for waiting.
pub(crate) fn prepare(limit: Limit, binding_bytes: u64) -> Result<(Launch, u64, Vec<usize>), DeviceError> {
    let slot = |id| Slot::Buffer(WAIT + id);
    Ok(match limit {
        Limit::Arithmetic => {
            let (launch, flops) = probe_fma::launch(slot(1))?;
            (launch, flops, vec![1, probe_fma::LEN])
        }
        Limit::Memory => {
            let len = probe_triad::len(binding_bytes);
            let (launch, bytes) = probe_triad::launch(len, vec![slot(1), slot(2)], slot(3))?;
            (launch, bytes, vec![1, len, len, len])
        }
    })
}
