//! Which adapters a process may see: the masks that schedulers set for CUDA and ROCm.

/// An adapter as far as a mask is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of PCI.
    pub vendor: u32,
    /// `0000:01:00.0`; empty where the driver does not say.
    pub bus: String,
    pub name: String,
}

/// PCI's number of a vendor, and the variables that mask its devices.
const MASKS: [(u32, &[&str]); 2] = [
    (0x10de, &["CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"]),
    (0x1002, &["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"]),
];

/// Whether each adapter is visible. A mask of numbers counts the vendor's devices in the order of their PCI addresses, which is
/// CUDA's own where all are of one kind or `CUDA_DEVICE_ORDER` says so; where that is not known, and for masks of another form
/// (UUIDs), it hides nothing. `variable` looks up the environment.
pub(crate) fn visible(adapters: &[Seen], variable: &dyn Fn(&str) -> Option<String>) -> Vec<bool> {
    let mut shown = vec![true; adapters.len()];
    for (vendor, variables) in MASKS {
        let mut own: Vec<usize> = (0..adapters.len()).filter(|&i| adapters[i].vendor == vendor).collect();
        let Some(mask) = variables.iter().find_map(|name| variable(name)) else { continue };
        let ordered = adapters.iter().filter(|a| a.vendor == vendor).all(|a| a.name == adapters[own[0]].name)
            || variable("CUDA_DEVICE_ORDER").is_some_and(|order| order == "PCI_BUS_ID");
        let known = own.iter().all(|&i| !adapters[i].bus.is_empty());
        let wanted: Option<Vec<i64>> = mask
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect();
        let Some(wanted) = wanted.filter(|_| known && ordered) else { continue };
        own.sort_by(|&a, &b| adapters[a].bus.cmp(&adapters[b].bus));
        // As CUDA reads it: what stands behind a number that there is not is hidden, too.
        let wanted: Vec<usize> = wanted
            .into_iter()
            .map_while(|number| usize::try_from(number).ok().filter(|&number| number < own.len()))
            .collect();
        for (number, adapter) in own.into_iter().enumerate() {
            shown[adapter] = wanted.contains(&number);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Vec<bool> {
        let adapter = |vendor, bus: &str, name: &str| Seen { vendor, bus: bus.into(), name: name.into() };
        let adapters = [
            adapter(0x10de, "0000:81:00.0", "H200"),
            adapter(0x1002, "0000:03:00.0", "W7900"),
            adapter(0x10de, "0000:01:00.0", "H200"),
        ];
        let found = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        visible(&adapters, &found)
    }

    #[test]
    fn a_mask_counts_by_pci_address_and_hides_no_other_vendor() {
        assert_eq!(of(&[]), [true; 3]);
        assert_eq!(of(&[("CUDA_VISIBLE_DEVICES", "0")]), [false, true, true]);
        assert_eq!(of(&[("CUDA_VISIBLE_DEVICES", "1,0")]), [true; 3]);
        assert_eq!(of(&[("CUDA_VISIBLE_DEVICES", "1,-1,0")]), [true, true, false]);
        assert_eq!(of(&[("CUDA_VISIBLE_DEVICES", "")]), [false, true, false]);
        assert_eq!(of(&[("ROCR_VISIBLE_DEVICES", "5")]), [true, false, true]);
        // Not to be matched.
        assert_eq!(of(&[("CUDA_VISIBLE_DEVICES", "GPU-8f2a")]), [true; 3]);
    }
}
