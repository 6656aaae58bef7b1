//! Names, order and shapes of every architecture's tensors. `make_state_dicts.py` asked PyTorch.

use std::collections::{BTreeMap, BTreeSet};

use gia_gpu::nn::{Declaration, Model, architecture::NAMES};

fn entry(declaration: &Declaration) -> String {
    let shape: Vec<String> = declaration.shape.iter().map(usize::to_string).collect();
    format!("{} {}", declaration.name, shape.join("x"))
}

fn lists() -> BTreeMap<String, Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/state_dicts.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_architecture_declares_the_state_dict_of_pytorch() {
    let lists = lists();
    for (key, expected) in &lists {
        let [name, options, image, classes] = key.split('|').collect::<Vec<_>>()[..] else { panic!("{key}") };
        let image: Vec<usize> = image.split('x').map(|n| n.parse().unwrap()).collect();
        let image = [0, 1, 2].map(|i| image[i]);
        let options = options.parse().unwrap();
        let model = Model::new(name, &options, Some(image), classes.parse().unwrap()).unwrap();
        let found: Vec<String> = model.declarations().iter().map(entry).collect();
        assert_eq!(&found, expected, "{key}");
    }
    let covered: BTreeSet<&str> = lists.keys().map(|key| key.split('|').next().unwrap()).collect();
    // A name with a width in it stands for all of them.
    let missing = NAMES.iter().filter(|name| !name.contains("<width>") && !covered.contains(*name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new(), "architectures that were not asked about");
}
