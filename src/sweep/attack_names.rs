//! What the attacks of a sweep are called: by their presets, and, where several on one victim would be called alike, by the
//! settings in which they differ.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{SweptVictim, UNTRAINED};

/// What each victim's attack is called. `networks`: what each victim's network is called.
pub(super) fn attack_names(victims: &[SweptVictim], networks: &[String]) -> Vec<String> {
    let names: Vec<String> = victims.iter().map(name).collect();
    let settings: Vec<BTreeMap<String, String>> = victims.iter().map(settings).collect();
    let place = |i: usize| (&networks[i], victims[i].training(), &names[i]);
    let whole = |i: usize| {
        let alike: Vec<usize> = (0..victims.len()).filter(|&other| place(other) == place(i)).collect();
        let differs =
            |key: &&String| alike.iter().any(|&other| settings[other].get(*key) != settings[i].get(*key));
        let own = settings[i].keys().filter(differs).map(|key| format!(", {key} {}", settings[i][key]));
        format!("{}{}", names[i], own.collect::<String>())
    };
    (0..victims.len()).map(whole).collect()
}

/// The preset, and which generator it has.
fn name(victim: &SweptVictim) -> String {
    let preset = &victim.config.preset;
    match victim.config.sought.takes_generator() {
        true => format!("{preset}, {}", victim.generator.as_ref().map_or(UNTRAINED, |prior| &prior.name)),
        false => preset.clone(),
    }
}

/// Every setting of an attack, by its path in a report.
fn settings(victim: &SweptVictim) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let config = serde_json::to_value(&victim.config).unwrap_or_default();
    flatten(&config, "", &mut all);
    all.insert("trials".into(), victim.trials.to_string());
    all.insert("labels given".into(), victim.labels_given.to_string());
    all
}

/// `{"optimiser": {"sign": "hard"}}` as `optimiser.sign`.
fn flatten(value: &Value, path: &str, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            let under = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            fields.iter().for_each(|(key, value)| flatten(value, &under(key), all));
        }
        Value::String(text) => drop(all.insert(path.into(), text.clone())),
        other => drop(all.insert(path.into(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attack::config::Sought, data::samples};

    #[test]
    fn attacks_are_called_by_what_tells_them_apart() {
        let dataset = samples();
        let victim = |preset: &str| SweptVictim::untrained("mlp", preset, &dataset, [1]).unwrap();
        let with = |change: &dyn Fn(&mut SweptVictim)| {
            let mut victim = victim("ig");
            change(&mut victim);
            victim
        };
        let named = |victims: &[SweptVictim]| attack_names(victims, &vec!["mlp".to_string(); victims.len()]);
        assert_eq!(named(&[victim("ig"), victim("gias"), victim("dlg")]), ["ig", "gias, untrained", "dlg"]);
        let smoother = with(&|v| v.config.total_variation = 0.5);
        let pyramid = with(&|v| v.config.sought = Sought::Pyramid);
        let found = named(&[victim("ig"), smoother.clone(), pyramid.clone()]);
        assert!(found[1].contains("total_variation 0.5") && found[1].contains("sought pixels"), "{found:?}");
        assert!(found[2].contains("sought pyramid"), "{found:?}");
        let slow = with(&|v| {
            v.trials = 4;
            v.labels_given = true;
        });
        let found = named(&[victim("ig"), slow]);
        assert_eq!(found[1], "ig, labels given true, trials 4");
        // Equal ones stay so, and are refused as such.
        assert_eq!(named(&[victim("ig"), victim("ig")]), ["ig", "ig"]);
        // On different networks they need no more.
        assert_eq!(attack_names(&[victim("ig"), smoother], &["a".into(), "b".into()]), ["ig", "ig"]);
    }
}
