//! What a file's network comes to.

use gia_gpu::{
    federated::{Request, Victim},
    nn::graph::Graph,
};

use serde_json::json;

use super::{Archive, path, read};

fn names(graph: &Graph) -> Vec<&str> {
    graph.tensors.iter().map(|tensor| tensor.name.as_str()).collect()
}

#[test]
fn tensors_come_in_the_order_of_the_state_dict_from_either_format() {
    let expected = [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "layer1.0.conv1.weight",
    ];
    let [pt2, onnx] = ["resnet.pt2", "resnet.onnx"].map(|file| Graph::read(&path(file)).unwrap());
    assert_eq!(names(&pt2)[..expected.len()], expected);
    assert_eq!(names(&pt2), names(&onnx));
    assert_eq!(pt2.tensors, onnx.tensors, "the same numbers");
    assert_eq!((pt2.image, pt2.classes), ([3, 21, 24], 10));
    assert!(pt2.notes.is_empty(), "{:?}", pt2.notes);
}

#[test]
fn what_is_left_out_is_said() {
    for file in ["custom.pt2", "efficientnet_b0_traced.onnx"] {
        let graph = Graph::read(&path(file)).unwrap();
        assert!(graph.notes.iter().any(|note| note.contains("dropout")), "{file}: {:?}", graph.notes);
    }
}

#[test]
fn a_victim_has_the_weights_of_the_file() {
    let graph = std::sync::Arc::new(Graph::read(&path("custom.pt2")).unwrap());
    let request =
        Request { image: Some(graph.image), graph: Some(graph.clone()), ..Request::named("custom.pt2") };
    let victim = Victim::from_seed(&request, 5).unwrap();
    assert!(victim.tensors.iter().zip(&graph.tensors).all(|(a, b)| a[..] == b.data[..]));
    // `fc.weight` stands first, and has no bias.
    assert_eq!((victim.last_weight(), victim.last_bias()), (0, None));
    assert_eq!(victim.last_layer().0.len(), 240);
}

#[test]
fn a_log_softmax_at_the_end_is_left_out_and_a_softmax_is_refused() {
    let ending = |operation: &str| {
        let archive = Archive::of("quickstart.pt2").edited(|program| {
            let graph = &mut program["graph_module"]["graph"];
            let last = graph["nodes"].as_array().unwrap().last().unwrap()["outputs"][0].clone();
            let mut node = graph["nodes"].as_array().unwrap().last().unwrap().clone();
            node["target"] = json!(format!("torch.ops.aten.{operation}.int"));
            node["inputs"] = json!([
                {"name": "self", "arg": last, "kind": 1},
                {"name": "dim", "arg": {"as_int": 1}, "kind": 1},
            ]);
            node["outputs"] = json!([{"as_tensor": {"name": "shares"}}]);
            graph["nodes"].as_array_mut().unwrap().push(node);
            let specs = &mut program["graph_module"]["signature"]["output_specs"];
            specs[0]["user_output"]["arg"]["as_tensor"]["name"] = json!("shares");
        });
        read(tempfile::tempdir().unwrap().path(), &archive.bytes())
    };
    let graph = ending("log_softmax").unwrap();
    assert!(graph.notes.iter().any(|note| note.contains("log_softmax is left out")), "{:?}", graph.notes);
    assert!(ending("softmax").unwrap_err().contains("ends in a softmax"));
}

#[test]
fn what_nobody_trains_is_no_parameter_in_either_format() {
    for file in ["masks.pt2", "masks.onnx", "custom.pt2", "custom.onnx"] {
        let graph = Graph::read(&path(file)).unwrap();
        let kept = ["causal", "hidden", "places", "scale"];
        assert!(names(&graph).iter().all(|name| !kept.contains(name)), "{file}: {:?}", names(&graph));
    }
}

#[test]
fn tied_weights_are_one_parameter_under_the_first_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = Archive::of("vgg_bn.pt2");
    let config = archive.member("model_weights_config.json");
    let mut list: serde_json::Value = serde_json::from_slice(config).unwrap();
    // The second norm's weight, of 6 numbers as the third's.
    let shared = list["config"]["features.4.bias"]["path_name"].clone();
    list["config"]["features.7.bias"]["path_name"] = shared;
    *config = serde_json::to_vec(&list).unwrap();
    let graph = read(folder.path(), &archive.bytes()).unwrap();
    assert!(graph.notes.iter().any(|note| note.contains("'features.7.bias' and 'features.4.bias' are tied")));
    assert!(!names(&graph).contains(&"features.7.bias"));
}
