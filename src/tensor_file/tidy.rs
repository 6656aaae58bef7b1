//! What wrappers add to a model's names, and what nobody needs, taken off.

use std::collections::BTreeMap;

use super::{Naming, ParameterSpec, TensorFile};

/// Of `DataParallel` and DDP, `torch.compile`, Opacus, and the attributes that Lightning's and other wrappers hold a
/// model in; of gradients gathered by name.
const PREFIXES: [&str; 6] = ["module.", "_orig_mod.", "_module.", "model.", "net.", "grad."];

/// Last part of the name of batch norm's counter, which nobody needs, whatever its type.
const COUNTER: &str = "num_batches_tracked";

impl TensorFile {
    /// Without batch norm's counters, and without the prefix that all names share where the names that are asked for do
    /// not have it; returns that prefix. Arrays without names stay as they are.
    pub fn tidied(mut self, asked: &[ParameterSpec]) -> (TensorFile, Option<String>) {
        if self.naming == Naming::Positional {
            return (self, None);
        }
        let counter = |name: &String| name.rsplit('.').next() == Some(COUNTER);
        self.tensors.retain(|name, _| !counter(name));
        self.non_float.retain(|name, _| !counter(name));
        let names: Vec<&String> = self.tensors.keys().chain(self.non_float.keys()).collect();
        let Some(prefix) = wrapper(&names, asked) else { return (self, None) };
        self.tensors = stripped(self.tensors, &prefix);
        self.non_float = stripped(self.non_float, &prefix);
        (self, Some(prefix))
    }
}

fn stripped<T>(tensors: BTreeMap<String, T>, prefix: &str) -> BTreeMap<String, T> {
    tensors.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_string(), tensor)).collect()
}

/// The prefix, of one wrapper or of several, behind which names that are asked for appear.
fn wrapper(names: &[&String], asked: &[ParameterSpec]) -> Option<String> {
    let mut prefix = String::new();
    let fits = |prefix: &str| {
        let known = |name: &&String| asked.iter().any(|spec| spec.name == name[prefix.len()..]);
        names.iter().any(known)
    };
    while !fits(&prefix) {
        let next = PREFIXES.iter().find(|next| {
            names.iter().all(|name| name[prefix.len()..].starts_with(**next)) && !names.is_empty()
        })?;
        prefix.push_str(next);
    }
    (!prefix.is_empty()).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str], asked: &[&str]) -> Option<String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let asked: Vec<ParameterSpec> =
            asked.iter().map(|name| ParameterSpec { name: name.to_string(), shape: vec![] }).collect();
        wrapper(&names.iter().collect::<Vec<_>>(), &asked)
    }

    #[test]
    fn one_or_several_wrappers_are_taken_off() {
        assert_eq!(found(&["module.fc.weight"], &["fc.weight"]), Some("module.".into()));
        assert_eq!(found(&["_orig_mod.module.fc.weight"], &["fc.weight"]), Some("_orig_mod.module.".into()));
    }

    #[test]
    fn a_models_own_names_stay() {
        assert_eq!(found(&["model.conv0.weight"], &["model.conv0.weight"]), None);
        assert_eq!(found(&["module.fc.weight", "ema.weight"], &["fc.weight"]), None);
        assert_eq!(found(&["module.other"], &["fc.weight"]), None);
    }
}
