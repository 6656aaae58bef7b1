//! What must be the same for an attack to go on.

use flate2::Crc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    attack::{
        generated::Prior,
        guidance::Guide,
        setting::{Setting, Target},
        stage::Stage,
    },
    device::Device,
};

/// Names and values, in the order in which they are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity(Vec<(String, String)>);

impl Identity {
    /// The same with one value more, which is compared after those before it.
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Identity {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// Of an attack on these targets: everything that its bits depend on but for the program.
    pub fn of(
        devices: &[&dyn Device],
        setting: &Setting,
        guide: Option<&Guide>,
        stages: &[Stage],
        targets: &[Target],
    ) -> Identity {
        let Setting { victim, protocol, views, batch, normalisation, restarts, seed, first, .. } = *setting;
        let devices: Vec<String> = devices
            .iter()
            .map(|device| {
                let info = device.info();
                format!("{} {} ({})", info.kind, info.name, info.means())
            })
            .collect();
        let mut identity = Identity::default().with("the device", devices.join("; "));
        let Value::Object(config) = json!(setting.config) else { unreachable!("a configuration has fields") };
        for (name, value) in config {
            identity = identity.with(name.replace('_', "-"), value);
        }
        let stages: Vec<String> = stages
            .iter()
            .map(|s| {
                let shapes: Vec<_> = s.unknown.variables().into_iter().map(|v| v.shape).collect();
                format!("{:?} of {shapes:?} to {} of {}", s.goal, s.end, s.iterations)
            })
            .collect();
        identity = identity
            .with("the victim", victim.model.describe())
            .with("the victim's weights (SHA-256)", victim.fingerprint())
            .with("the generator", setting.generator.map_or("none".into(), fingerprint))
            .with("the client's protocol", json!(protocol))
            .with("what the eavesdropper does to its gradient", json!(views))
            .with("batch", batch)
            .with("normalisation", json!(normalisation))
            .with("trials", restarts)
            .with("seed", seed)
            .with("the first batch", first)
            .with("stages", stages.join(", "))
            .with("gradients", targets.len());
        for (i, target) in targets.iter().enumerate() {
            identity = identity.with(format!("gradient {i} (CRC-32)"), checksum(target));
        }
        if let Some(guide) = guide {
            let names = format!("{:?}, CRC-32 {:08x}", guide.hypotheses, of_floats([guide.names]));
            identity = identity.with("names that guide", names);
        }
        identity
    }

    /// The first that differs from an earlier one's: name, what it was, what it is.
    pub fn difference(&self, earlier: &Identity) -> Option<(String, String, String)> {
        let value = |of: &Identity, name: &str| {
            let found = of.0.iter().find(|(own, _)| own == name);
            found.map_or("absent".to_string(), |(_, value)| value.clone())
        };
        let all = self.0.iter().chain(&earlier.0).map(|(name, _)| name);
        all.map(|name| (name.clone(), value(earlier, name), value(self, name))).find(|(_, was, is)| was != is)
    }
}

fn fingerprint(trained: &Prior) -> String {
    format!("CRC-32 {:08x}", of_floats(trained.tensors.iter().map(Vec::as_slice)))
}

/// Of everything that is known of a target.
fn checksum(target: &Target) -> String {
    let Target { gradient, labels, weights, statistics } = target;
    let gradient = of_floats(gradient.iter().map(Vec::as_slice));
    let more = weights.iter().chain(statistics.iter().flatten());
    format!("{gradient:08x}, labels {}, more {:08x}", json!(labels), of_floats(more.map(Vec::as_slice)))
}

fn of_floats<'v>(all: impl IntoIterator<Item = &'v [f32]>) -> u32 {
    let mut crc = Crc::new();
    all.into_iter().for_each(|values| crc.update(bytemuck::cast_slice(values)));
    crc.sum()
}
