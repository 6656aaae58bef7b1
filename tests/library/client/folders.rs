//! Class folders, formats, sizes and IDX layouts as people have them (cases 2, 3, 5, 6).

use std::{fs, path::Path};

use gia_gpu::data::{Dataset, Picture, read_class_names};
use image::{DynamicImage, ImageFormat, RgbImage};
use tempfile::TempDir;

use crate::common::fixture;

fn picture(value: u8) -> DynamicImage {
    RgbImage::from_fn(6, 4, |x, y| image::Rgb([value, x as u8 * 40, y as u8 * 60])).into()
}

fn save(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture(value).save(path).unwrap();
}

fn message(result: Result<Dataset, impl std::fmt::Display>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_clients_two_folders_get_the_victims_classes_by_name() {
    let folder = TempDir::new().unwrap();
    for (class, value) in [("dog", 5), ("cat", 3)] {
        save(&folder.path().join(class).join("0.png"), value);
    }
    let dataset = Dataset::open(folder.path()).unwrap();
    let error = dataset.check_classes(10).unwrap_err().to_string();
    assert!(error.contains("2 (cat, dog)") && error.contains("--class-names"), "{error}");
    let names = "airplane,automobile,bird,Cat,deer,dog,frog,horse,ship,truck";
    let names = read_class_names(names).unwrap();
    let dataset = dataset.with_class_names(&names).unwrap();
    assert_eq!(dataset.labels(), [3, 5]);
    assert_eq!(dataset.class_names, names);
    dataset.check_classes(10).unwrap();
    let file = folder.path().join("names.txt");
    fs::write(&file, "egyptian cat\nwolf\n").unwrap();
    let names = read_class_names(&file.to_string_lossy()).unwrap();
    assert_eq!(names, ["egyptian cat", "wolf"]);
    let error = message(Dataset::open(folder.path()).unwrap().with_class_names(&names));
    assert!(error.contains("class 'cat'"), "{error}");
}

#[test]
fn every_format_of_torchvision_is_read_alike_and_others_are_counted() {
    let folder = TempDir::new().unwrap();
    let class = folder.path().join("a");
    fs::create_dir_all(&class).unwrap();
    let formats = [
        ("png", ImageFormat::Png),
        ("bmp", ImageFormat::Bmp),
        ("ppm", ImageFormat::Pnm),
        ("tif", ImageFormat::Tiff),
        ("TIFF", ImageFormat::Tiff),
        ("webp", ImageFormat::WebP),
    ];
    for (extension, format) in formats {
        picture(200).save_with_format(class.join(format!("0.{extension}")), format).unwrap();
    }
    fs::write(class.join("1.heic"), "x").unwrap();
    fs::write(class.join("2.heic"), "x").unwrap();
    fs::write(class.join("readme.txt"), "x").unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.len(), formats.len());
    let expected = dataset.picture(0).unwrap();
    assert_eq!(expected.shape(), [3, 4, 6]);
    assert!((0..dataset.len()).all(|i| dataset.picture(i).unwrap() == expected));
    let left: Vec<(&str, usize)> = dataset.left_out.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    assert_eq!(left, [(".heic", 2), (".txt", 1)]);
}

#[test]
fn folders_are_read_as_image_folder_reads_them() {
    let folder = TempDir::new().unwrap();
    save(&folder.path().join("n01/images/1.JPEG"), 1);
    save(&folder.path().join("n02/images/2.JPEG"), 2);
    save(&folder.path().join("n02/0.png"), 3);
    fs::create_dir_all(folder.path().join("n03")).unwrap();
    fs::create_dir_all(folder.path().join(".ipynb_checkpoints")).unwrap();
    fs::create_dir_all(folder.path().join("__MACOSX")).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.class_names, ["n01", "n02", "n03"]);
    assert_eq!(dataset.labels(), [0, 1, 1]);
}

#[test]
fn class_folders_that_lie_deeper_are_not_classes() {
    let folder = TempDir::new().unwrap();
    for split in ["train", "val"] {
        for class in ["cat", "dog"] {
            save(&folder.path().join(split).join(class).join("0.png"), 1);
        }
    }
    let error = message(Dataset::open(folder.path()));
    assert!(error.contains("train") && error.contains("open the folder right above them"), "{error}");
    assert_eq!(Dataset::open(&folder.path().join("val")).unwrap().class_names, ["cat", "dog"]);
}

#[test]
fn pictures_of_several_sizes_are_counted_by_size() {
    let folder = TempDir::new().unwrap();
    for i in 0..3 {
        save(&folder.path().join(format!("a/{i}.png")), i);
    }
    fs::create_dir_all(folder.path().join("b")).unwrap();
    RgbImage::new(64, 64).save(folder.path().join("b/0.png")).unwrap();
    assert_eq!(Dataset::open(folder.path()).unwrap().sizes(), [([4, 6], 3), ([64, 64], 1)]);
}

/// Pillow rounds to bytes after each of its two passes: a byte apart, at the most.
#[test]
fn resize_and_crop_are_torchvisions() {
    let found = fixture("resized");
    for case in ["down", "up", "tall", "same_side"] {
        let [from, to] = ["from", "to"].map(|part| &found[&format!("{case}.{part}")]);
        let pixels = from.data.iter().map(|v| (v / 255.0) as f32).collect();
        let picture = Picture::new(3, from.shape[1], from.shape[2], pixels).unwrap();
        let resized = picture.covering(to.shape[1], to.shape[2]).unwrap();
        assert_eq!(resized.shape(), [3, to.shape[1], to.shape[2]]);
        let worst = resized.pixels.iter().zip(&to.data).map(|(a, b)| (f64::from(*a) * 255.0 - b).abs());
        let worst = worst.fold(0.0, f64::max);
        assert!(worst <= 1.1, "{case}: {worst} of 255");
    }
}

/// IDX of unsigned bytes.
fn idx(sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn pair(folder: &Path, images: &str, labels: &str, values: &[u8]) {
    for path in [images, labels] {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
    }
    let count = values.len() as u32;
    fs::write(folder.join(images), idx(&[count, 8, 8], &vec![7; values.len() * 64])).unwrap();
    fs::write(folder.join(labels), idx(&[count], values)).unwrap();
}

#[test]
fn mnist_mirrors_hold_files_in_folders_of_their_names() {
    let folder = TempDir::new().unwrap();
    for split in ["t10k", "train"] {
        let [images, labels] = ["images-idx3", "labels-idx1"].map(|kind| format!("{split}-{kind}-ubyte"));
        let count = if split == "train" { 3 } else { 2 };
        pair(
            folder.path(),
            &format!("{images}/{images}"),
            &format!("{labels}/{labels}"),
            &[1, 2, 9][..count],
        );
    }
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.labels(), [1, 2, 9]);
}

#[test]
fn emnists_splits_have_their_classes() {
    let of = |split: &str, values: &[u8]| {
        let folder = TempDir::new().unwrap();
        let names = ["images-idx3", "labels-idx1"].map(|kind| format!("emnist-{split}-train-{kind}-ubyte"));
        pair(folder.path(), &names[0], &names[1], values);
        Dataset::open(folder.path())
    };
    let letters = of("letters", &[1, 26]).unwrap();
    assert_eq!((letters.labels(), letters.class_names.len()), (&[0, 25][..], 26));
    assert_eq!(letters.class_names[25], "Z");
    // A client without a Z has 26 classes none the less.
    assert_eq!(of("letters", &[1, 2]).unwrap().class_names.len(), 26);
    assert_eq!(of("balanced", &[46]).unwrap().class_names.len(), 47);
    assert_eq!(of("byclass", &[61]).unwrap().class_names[61], "z");
    assert!(message(of("letters", &[0])).contains("labels 1 to 26"));
}

#[test]
fn several_splits_of_emnist_in_one_folder_are_to_be_chosen_from() {
    let folder = TempDir::new().unwrap();
    for split in ["balanced", "letters"] {
        let names = ["images-idx3", "labels-idx1"].map(|kind| format!("emnist-{split}-train-{kind}-ubyte"));
        pair(folder.path(), &names[0], &names[1], &[1, 2]);
    }
    assert!(message(Dataset::open(folder.path())).contains("balanced, letters"));
    let one = Dataset::open(&folder.path().join("emnist-letters-train-images-idx3-ubyte")).unwrap();
    assert_eq!(one.class_names.len(), 26);
}

#[test]
fn cifar_100_has_two_labels_a_record_of_which_the_second_counts() {
    let folder = TempDir::new().unwrap();
    let record = |coarse: u8, fine: u8| [vec![coarse, fine], vec![128; 3072]].concat();
    fs::write(folder.path().join("train.bin"), [record(4, 99), record(19, 0)].concat()).unwrap();
    fs::write(folder.path().join("test.bin"), record(1, 2)).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!((dataset.labels(), dataset.class_names.len()), (&[99, 0][..], 100));
    let names: Vec<String> = (0..100).map(|i| format!("fine {i}")).collect();
    fs::write(folder.path().join("fine_label_names.txt"), names.join("\n")).unwrap();
    assert_eq!(Dataset::open(&folder.path().join("test.bin")).unwrap().class_names[2], "fine 2");
}
