//! Files and options that do not belong together are caught before anything is computed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gia_gpu::tensor_file::TensorFile;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::support::{fail, folder, succeed};

/// A client of an MLP with 30 classes and three pictures, its weights, its gradient and its update, with and
/// without metadata.
struct Client {
    folder: tempfile::TempDir,
}

const ARCH: &str = "--arch mlp --hidden 16 --classes 30";

impl Client {
    fn new() -> Client {
        let client = Client { folder: folder() };
        let pictures: Vec<String> = (0..3)
            .map(|i| {
                let path = client.path(&format!("{i}.png"));
                gia_gpu::data::samples().picture(i).unwrap().write_png(Path::new(&path)).unwrap();
                path
            })
            .collect();
        let common = format!("capture {ARCH} --images {} --labels 4,9,9 --device cpu", pictures.join(" "));
        let (weights, gradient, update) =
            (client.path("w.safetensors"), client.path("g.safetensors"), client.path("u.safetensors"));
        succeed(&format!("{common} --out {gradient} --save-weights {weights}"));
        succeed(&format!("{common} --out {update} --local-steps 1 --local-lr 0.05"));
        for (named, bare) in [(gradient, "g_bare.safetensors"), (update, "u_bare.safetensors")] {
            let tensors = TensorFile::read(Path::new(&named)).unwrap().tensors;
            TensorFile::write(Path::new(&client.path(bare)), &tensors, &BTreeMap::new()).unwrap();
        }
        client
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn invert(&self, gradient: &str) -> String {
        format!(
            "invert {ARCH} --weights {} --gradient {} --batch 3 --iterations 2 --device cpu --force --out {}",
            self.path("w.safetensors"),
            self.path(gradient),
            self.path("out")
        )
    }
}

#[test]
fn what_a_file_says_it_holds_is_not_overruled() {
    let client = Client::new();
    let update = client.invert("u.safetensors");
    fail(2, &format!("{update} --kind gradient"), &["u.safetensors", "holds update", "--kind says gradient"]);
    let gradient = client.invert("g.safetensors");
    fail(2, &format!("{gradient} --kind update --local-lr 0.05"), &["holds gradient", "--kind says update"]);
    fail(2, &format!("{gradient} --local-steps 2 --local-lr 0.05"), &["one step", "--kind update"]);
    assert!(!Path::new(&client.path("out")).exists());
}

#[test]
fn an_update_without_metadata_passed_as_a_gradient_shows_by_its_sign_and_so_does_the_reverse() {
    let client = Client::new();
    let bare_update = client.invert("u_bare.safetensors");
    fail(1, &bare_update, &["u_bare.safetensors", "the sign is reversed"]);
    let bare_gradient = client.invert("g_bare.safetensors");
    fail(1, &format!("{bare_gradient} --local-lr 0.05"), &["g_bare.safetensors", "the sign is reversed"]);
    assert!(!Path::new(&client.path("out")).exists());
    succeed(&format!("{bare_update} --local-lr 0.05"));
    fs::remove_dir_all(client.path("out")).unwrap();
    succeed(&bare_gradient);
}

#[test]
fn sizes_that_disagree_are_named() {
    let client = Client::new();
    let gradient = client.invert("g.safetensors");
    fail(2, &gradient.replace("--batch 3", "--batch 0"), &["--batch", "found 0"]);
    fail(1, &gradient.replace("--classes 30", "--classes 7"), &["3.bias", "30 classes", "expected 7"]);
    fail(2, &gradient.replace("--hidden 16", "--hidden 17"), &["hidden=16", "hidden=17"]);
    fail(2, &format!("{gradient} --image-size 28"), &["[3, 32, 32]", "[3, 28, 28]"]);
}

#[test]
fn weights_of_another_architecture_name_the_first_tensor_and_the_nearest_architecture() {
    let client = Client::new();
    let picture = client.path("0.png");
    let capture = |arch: &str, more: &str| {
        let out = client.path("x.safetensors");
        format!("capture --arch {arch} --images {picture} --labels 1 --device cpu --out {out} {more}")
    };
    let weights = client.path("r20.safetensors");
    succeed(&capture("resnet20", &format!("--save-weights {weights}")));
    fail(
        1,
        &capture("resnet32", &format!("--weights {weights}")),
        &["layer1.3.conv1.weight", "fits 'resnet20' best", "--arch says 'resnet32'"],
    );
    // Without the running statistics the model is not whole.
    let file = TensorFile::read(Path::new(&weights)).unwrap();
    let tensors = file.tensors.into_iter().filter(|(name, _)| !name.contains("running")).collect();
    TensorFile::write(Path::new(&weights), &tensors, &file.metadata).unwrap();
    fail(1, &capture("resnet20", &format!("--weights {weights}")), &["bn1.running_mean", "missing"]);
}

/// An archive as `np.savez` writes it.
fn npz(path: &PathBuf, arrays: &[(Vec<usize>, Vec<f32>)]) {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (i, (shape, data)) in arrays.iter().enumerate() {
        let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({axes}), }}");
        let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
        let text = format!("{text:<0$}\n", length - 1);
        let values: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes =
            [&b"\x93NUMPY\x01\x00"[..], &(length as u16).to_le_bytes(), text.as_bytes(), &values].concat();
        let name = format!("arr_{i}.npy");
        let (mut entry, config) =
            archive.new_file(&name).compression_method(CompressionMethod::STORE).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
        let descriptor = writer.finish().unwrap().1;
        entry.finish(descriptor).unwrap();
    }
    fs::write(path, archive.finish().unwrap()).unwrap();
}

#[test]
fn arrays_without_names_are_taken_in_order_and_a_permuted_archive_is_refused() {
    let client = Client::new();
    let arrays = |name: &str| -> Vec<(Vec<usize>, Vec<f32>)> {
        let tensors = TensorFile::read(Path::new(&client.path(name))).unwrap().tensors;
        // state_dict order: 1.weight, 1.bias, 3.weight, 3.bias
        ["1.weight", "1.bias", "3.weight", "3.bias"]
            .map(|name| (tensors[name].shape.clone(), tensors[name].data.clone()))
            .to_vec()
    };
    let folder = client.folder.path();
    npz(&folder.join("w.npz"), &arrays("w.safetensors"));
    npz(&folder.join("g.npz"), &arrays("g.safetensors"));
    let mut permuted = arrays("g.safetensors");
    permuted.swap(1, 2);
    npz(&folder.join("permuted.npz"), &permuted);
    let invert = |gradient: &str| {
        let (weights, gradient) = (folder.join("w.npz"), folder.join(gradient));
        let (weights, gradient, out) = (weights.display(), gradient.display(), folder.join("found"));
        format!(
            "invert {ARCH} --weights {weights} --gradient {gradient} --batch 3 --iterations 2 --device cpu --force --out {}",
            out.display()
        )
    };
    fail(1, &invert("permuted.npz"), &["permuted.npz", "arr_1", "1.bias", "permuted"]);
    assert!(!folder.join("found").exists());
    let report = succeed(&format!("{} --json", invert("g.npz")));
    assert!(report.contains("\"ilrg\""), "{report}");
    // The same numbers with names give the same reconstruction.
    succeed(&client.invert("g.safetensors"));
    let picture = |folder: &str| fs::read(client.folder.path().join(folder).join("grid.png")).unwrap();
    assert_eq!(picture("found"), picture("out"));
}
