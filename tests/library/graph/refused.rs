//! What no victim can be, each with its own sentence.

use std::fs;

use flate2::{Compression, write::DeflateEncoder};
use gia_gpu::nn::graph::Graph;
use serde_json::{Value, json};
use std::io::Write;

use super::{Archive, path, read};
use crate::npz::support::zip;

fn refused(bytes: &[u8], words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let message = read(folder.path(), bytes).map(|graph| graph.name).unwrap_err();
    words.iter().for_each(|word| assert!(message.contains(word), "no '{word}' in: {message}"));
}

fn edited(file: &str, change: impl FnOnce(&mut Value), words: &[&str]) {
    refused(&Archive::of(file).edited(change).bytes(), words);
}

/// The first node of this operation.
fn node<'a>(program: &'a mut Value, operation: &str) -> &'a mut Value {
    let nodes = program["graph_module"]["graph"]["nodes"].as_array_mut().unwrap();
    nodes.iter_mut().find(|node| node["target"].as_str().unwrap().contains(operation)).unwrap()
}

#[test]
fn an_operation_that_is_not_known_is_named_with_its_place_in_the_users_source() {
    let unknown =
        |program: &mut Value| node(program, "leaky_relu")["target"] = json!("torch.ops.aten.lgamma.default");
    edited(
        "custom.pt2",
        unknown,
        &["'lgamma' is not known", "node 'leaky_relu'", "tiny_networks.py:", "run_decompositions"],
    );
    let foreign =
        |program: &mut Value| node(program, "leaky_relu")["target"] = json!("torch.ops.mine.op.default");
    edited("custom.pt2", foreign, &["no operation of PyTorch's own", "tiny_networks.py:"]);
    let higher =
        |program: &mut Value| node(program, "leaky_relu")["target"] = json!("torch.ops.higher_order.cond");
    edited("custom.pt2", higher, &["control flow"]);
    let data =
        |program: &mut Value| node(program, "leaky_relu")["target"] = json!("torch.ops.aten.nonzero.default");
    edited("custom.pt2", data, &["depends on data"]);
}

#[test]
fn several_inputs_or_outputs_and_frozen_parameters_are_refused_in_words() {
    let inputs = |program: &mut Value| {
        let specs = program["graph_module"]["signature"]["input_specs"].as_array_mut().unwrap();
        specs.push(specs.last().unwrap().clone());
    };
    edited("quickstart.pt2", inputs, &["takes 2 inputs"]);
    let outputs = |program: &mut Value| {
        let specs = program["graph_module"]["signature"]["output_specs"].as_array_mut().unwrap();
        specs.push(specs.last().unwrap().clone());
    };
    edited("quickstart.pt2", outputs, &["gives 2 outputs", "the logits"]);
    let mut archive = Archive::of("quickstart.pt2");
    let text = String::from_utf8(archive.member("weights_config.json").clone()).unwrap();
    *archive.member("weights_config.json") =
        text.replace("\"requires_grad\": true", "\"requires_grad\": false").into();
    refused(&archive.bytes(), &["tensor 'conv1.weight'", "frozen"]);
    let mut archive = Archive::of("quickstart.pt2");
    *archive.member("weights_config.json") = text.replace("\"dtype\": 7", "\"dtype\": 5").into();
    refused(&archive.bytes(), &["tensor 'conv1.weight'", "another type than a float"]);
    let mut archive = Archive::of("quickstart.pt2");
    *archive.member("weights_config.json") =
        text.replace("\"use_pickle\": false", "\"use_pickle\": true").into();
    refused(&archive.bytes(), &["pickle"]);
}

#[test]
fn a_network_that_does_not_end_in_a_linear_layer_is_refused() {
    let end = |program: &mut Value| {
        program["graph_module"]["signature"]["output_specs"][0]["user_output"]["arg"]["as_tensor"]["name"] =
            json!("relu_2");
    };
    edited("quickstart.pt2", end, &["relu of its last layer's results", "linear in its features"]);
}

#[test]
fn absurd_shapes_and_arguments_are_refused_before_anything_is_made() {
    let view = |sizes: Value| {
        move |program: &mut Value| {
            let view = node(program, "view");
            view["inputs"][1]["arg"] = json!({"as_ints": sizes});
        }
    };
    edited("quickstart.pt2", view(json!([-1, 7])), &["node 'view'", "number of elements"]);
    edited("quickstart.pt2", view(json!([i64::MAX, i64::MAX])), &["too many elements"]);
    edited("quickstart.pt2", view(json!([3, 20, 10])), &["file says [3, 200]"]);
    let conv = |name: &'static str, value: Value| {
        move |program: &mut Value| {
            let inputs = node(program, "conv2d")["inputs"].as_array_mut().unwrap();
            inputs.push(json!({"name": name, "arg": value, "kind": 1}));
        }
    };
    edited("quickstart.pt2", conv("padding", json!({"as_ints": [1u64 << 40, 0]})), &["a size of"]);
    edited("quickstart.pt2", conv("groups", json!({"as_int": 0})), &["0 groups"]);
    edited("quickstart.pt2", conv("dilation", json!({"as_ints": [900, 900]})), &["too small"]);
    let sizes = |program: &mut Value| {
        program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"] =
            json!([{"as_int": 3}, {"as_int": 3}, {"as_int": 1u64 << 40}, {"as_int": 32}]);
    };
    edited("quickstart.pt2", sizes, &["too many elements"]);
}

#[test]
fn a_node_that_uses_itself_or_a_later_one_is_refused() {
    let cycle = |program: &mut Value| {
        node(program, "view")["inputs"][0]["arg"]["as_tensor"]["name"] = json!("linear_2")
    };
    edited("quickstart.pt2", cycle, &["'linear_2' is not known", "no result of an earlier operation"]);
}

#[test]
fn a_view_of_memory_that_changed_since_is_not_used() {
    let stale = |program: &mut Value| {
        // relu(view) in place, then the pooling's result, of which it is a view, goes on.
        let relu = node(program, "linear");
        relu["target"] = json!("torch.ops.aten.relu_.default");
        relu["inputs"] = json!([{"name": "self", "arg": {"as_tensor": {"name": "view"}}, "kind": 1}]);
        let next = program["graph_module"]["graph"]["nodes"].as_array_mut().unwrap();
        let at = next.iter().position(|n| n["name"] == "relu_2").unwrap();
        next[at]["inputs"][0]["arg"]["as_tensor"]["name"] = json!("max_pool2d_1");
    };
    let folder = tempfile::tempdir().unwrap();
    let message = read(folder.path(), &Archive::of("quickstart.pt2").edited(stale).bytes()).unwrap_err();
    assert!(message.contains("view of memory") || message.contains("file says"), "{message}");
}

#[test]
fn hostile_archives_are_refused() {
    let archive = Archive::of("quickstart.pt2");
    let with = |name: &str, bytes: Vec<u8>| {
        let mut members: Vec<(&str, Vec<u8>)> =
            archive.0.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        members.push((name, bytes));
        zip(&members, false)
    };
    // The writer would tidy such names.
    let renamed = |from: &str, to: &str| {
        let mut bytes = with(from, vec![1]);
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from.as_bytes()) {
                bytes[at..][..from.len()].copy_from_slice(to.as_bytes());
            }
        }
        bytes
    };
    refused(
        &renamed("quickstart/aa/bb/etc/passwd", "quickstart/../../etc/passwd"),
        &["points outside the archive"],
    );
    refused(&renamed("aetc/passwd", "/etc/passwd"), &["points outside the archive"]);
    refused(&with("quickstart/models/model.json", vec![1]), &["two members"]);
    // A bomb: what is compressed is refused by what the directory says, before a byte is read.
    let members: Vec<(&str, Vec<u8>)> = vec![("a/models/model.json", vec![b' '; 1 << 20])];
    refused(&zip(&members, true), &["compressed"]);
    let bytes = archive.bytes();
    refused(&bytes[..bytes.len() - 40], &["damaged zip archive"]);
    // Flipped within a weight: the CRC tells.
    let mut flipped = bytes.clone();
    flipped[3000] ^= 1;
    refused(&flipped, &["member"]);
    // More nesting than any program has.
    let mut deep = Archive::of("quickstart.pt2");
    *deep.member("models/model.json") = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    refused(&deep.bytes(), &["models/model.json"]);
}

#[test]
fn other_files_are_told_what_they_are() {
    let zipped = |name: &str| zip(&[(name, vec![1])], false);
    refused(&zipped("model/data.pkl"), &["Python pickle", "torch.export.save"]);
    refused(&zipped("serialized_exported_program.json"), &["serialized_exported_program.json"]);
    refused(&zipped("arr_0.npy"), &["--weights"]);
    refused(b"", &["it is empty"]);
    refused(b"\x80\x02}q\x00.", &["pickle"]);
    refused(b"{\"a\": 1}", &["expected a .pt2 file"]);
    let mut deflated = DeflateEncoder::new(vec![], Compression::default());
    deflated.write_all(&[0; 1000]).unwrap();
    refused(&deflated.finish().unwrap(), &["expected a .pt2 file"]);
    assert!(Graph::read(&path("nowhere")).unwrap_err().to_string().contains("cannot be read"));
    assert!(Graph::read(&path("")).unwrap_err().to_string().contains("folder"));
    let version = |program: &mut Value| program["schema_version"]["major"] = json!(9);
    edited("quickstart.pt2", version, &["version 9, expected 8"]);
}

#[test]
fn onnx_with_folded_layers_or_numbers_elsewhere_is_refused_with_the_line_that_works() {
    let onnx = fs::read(path("resnet.onnx")).unwrap();
    // Of equal length, as both exporters call what they folded.
    let renamed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut bytes = onnx.clone();
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
            bytes[at + found..][..from.len()].copy_from_slice(to.as_bytes());
            at += found + from.len();
        }
        bytes
    };
    refused(&renamed("conv1.weight", "onnx::Conv_6"), &["folded together", "do_constant_folding=False"]);
    refused(&renamed("Relu", "Reli"), &["operation 'Reli' is not known", "node '"]);
    refused(&renamed("fc.weight", "gc.weight"), &["folded together"]);
    refused(&onnx[..onnx.len() / 2], &["damaged"]);
}
