use std::{fs, io::Cursor};

use gia_gpu::data::{Picture, atomic, read_png_folder};
use image::{DynamicImage, ImageFormat};

use super::{message, put};

fn ramp(channels: usize, height: usize, width: usize) -> Picture {
    let length = channels * height * width;
    let pixels = (0..length).map(|index| (index % 256) as f32 / 255.0).collect();
    Picture::new(channels, height, width, pixels).unwrap()
}

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn png_round_trip_keeps_every_eight_bit_value() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [1, 3] {
        let path = folder.path().join(format!("{channels}.png"));
        let picture = ramp(channels, 17, 31);
        picture.write_png(&path).unwrap();
        assert_eq!(Picture::read(&path).unwrap(), picture);
    }
}

#[test]
fn png_values_are_clamped_and_rounded_to_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.png");
    let pixels = vec![-0.3, 1.7, 100.4 / 255.0, 100.6 / 255.0, f32::NAN, f32::INFINITY];
    Picture::new(1, 2, 3, pixels).unwrap().write_png(&path).unwrap();
    let read = Picture::read(&path).unwrap().pixels;
    assert_eq!(read, [0.0, 255.0, 100.0, 101.0, 0.0, 255.0].map(|value| value / 255.0));
}

#[test]
fn transparency_is_dropped_and_sixteen_bits_become_eight() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, image: DynamicImage| {
        put(folder.path(), name, &encoded(image, ImageFormat::Png));
        Picture::read(&folder.path().join(name)).unwrap()
    };
    let rgba = image::RgbaImage::from_pixel(2, 1, image::Rgba([51, 102, 153, 7]));
    assert_eq!(read("rgba.png", rgba.into()).pixels, [0.2, 0.2, 0.4, 0.4, 0.6, 0.6]);
    let grey_alpha =
        DynamicImage::ImageLumaA8(image::GrayAlphaImage::from_pixel(1, 1, image::LumaA([51, 0])));
    assert_eq!(read("la.png", grey_alpha), Picture::flat(1, 1, 1, 0.2).unwrap());
    let deep = image::ImageBuffer::from_pixel(1, 1, image::Luma([0x3333_u16]));
    assert_eq!(read("deep.png", DynamicImage::ImageLuma16(deep)), Picture::flat(1, 1, 1, 0.2).unwrap());
}

/// Pillow: `im = Image.new("P", (2, 1)); im.putpalette([255, 0, 51, 0, 102, 204]); im.putpixel((1, 0), 1)`
#[test]
fn palette_pictures_become_colour() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "palette.png", &PALETTE);
    let picture = Picture::read(&folder.path().join("palette.png")).unwrap();
    assert_eq!(picture.shape(), [3, 1, 2]);
    assert_eq!(picture.pixels, [1.0, 0.0, 0.0, 0.4, 0.2, 0.8]);
}

#[test]
fn jpeg_is_told_by_content_not_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let flat = image::RgbImage::from_pixel(32, 24, image::Rgb([200, 100, 50]));
    put(folder.path(), "misnamed.png", &encoded(flat.into(), ImageFormat::Jpeg));
    let picture = Picture::read(&folder.path().join("misnamed.png")).unwrap();
    assert_eq!(picture.shape(), [3, 24, 32]);
    for (plane, wanted) in picture.planes().zip([200.0, 100.0, 50.0]) {
        assert!(plane.iter().all(|value| (value * 255.0 - wanted).abs() < 4.0));
    }
}

#[test]
fn padding_centres_and_repeats_grey() {
    let picture = Picture::flat(1, 28, 28, 1.0).unwrap().with_channels(3).unwrap().padded(32, 33).unwrap();
    assert_eq!(picture.shape(), [3, 32, 33]);
    for plane in picture.planes() {
        for (index, value) in plane.iter().enumerate() {
            let inside = (2..30).contains(&(index / 33)) && (2..30).contains(&(index % 33));
            assert_eq!(*value, if inside { 1.0 } else { 0.0 });
        }
    }
    message(picture.padded(31, 40), "at most 31×40");
}

#[test]
fn colour_becomes_rec_601_luma() {
    let picture = Picture::new(3, 1, 2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0]).unwrap();
    assert_eq!(picture.with_channels(1).unwrap().pixels, [0.299, 0.587]);
}

/// Pillow: `Image.fromarray(ramp).resize((8, 8), Image.BICUBIC)` of the centre crop, within one step of 255.
#[test]
fn resizing_crops_to_the_aspect_ratio_and_matches_pillows_bicubic() {
    // A bright band left and right that the centre crop takes away.
    let mut wide = Picture::flat(1, 16, 48, 1.0).unwrap();
    for (index, value) in wide.pixels.iter_mut().enumerate() {
        if (16..32).contains(&(index % 48)) {
            *value = ((index % 48 - 16) * (index / 48)) as f32 / 225.0;
        }
    }
    let small = wide.clone().resized(8, 8).unwrap();
    assert_eq!(small.shape(), [1, 8, 8]);
    for (index, (ours, pillow)) in small.pixels.iter().zip(PILLOW_BICUBIC).enumerate() {
        assert!(
            (ours * 255.0 - f32::from(pillow)).abs() <= 1.0,
            "pixel {index}: {ours} against {pillow}/255"
        );
    }
    assert_eq!(wide.clone().resized(16, 48).unwrap(), wide);
    let flat = Picture::flat(3, 50, 31, 0.25).unwrap().resized(32, 32).unwrap();
    assert!(flat.pixels.iter().all(|value| (value - 0.25).abs() < 1e-6));
    message(flat.clone().resized(0, 4), "0×4");
    message(flat.resized(usize::MAX, 4), "16384");
}

#[test]
fn inconsistent_pictures_are_refused() {
    message(Picture::new(2, 4, 4, vec![0.0; 32]), "1 or 3");
    message(Picture::new(3, 0, 4, vec![]), "0×4");
    message(Picture::new(3, 4, 4, vec![0.0; 47]), "48");
    let by_hand = Picture { channels: 3, height: 4, width: 4, pixels: vec![0.0; 5] };
    message(by_hand.to_png(), "48");
    message(by_hand.clone().with_channels(1), "48");
    message(by_hand.clone().padded(8, 8), "48");
    message(by_hand.resized(2, 2), "48");
}

#[test]
fn writing_leaves_whole_files_and_no_temporary_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    atomic::write_bytes(&path, b"old").unwrap();
    atomic::write_json(&path, &serde_json::json!({ "psnr": f64::INFINITY })).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"psnr\": null\n}\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600);
        assert_eq!(mode & 0o111, 0);
    }

    message(atomic::write_bytes(&folder.path().join("absent/x.png"), b""), "absent");
    fs::create_dir(folder.path().join("taken")).unwrap();
    message(atomic::write_bytes(&folder.path().join("taken"), b""), "taken");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn png_folders_are_read_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    message(read_png_folder(folder.path()), "an empty folder");
    for (name, value) in [("b.png", 0.2), ("a.PNG", 0.4), ("c.png", 0.6)] {
        Picture::flat(1, 12, 12, value).unwrap().write_png(&folder.path().join(name)).unwrap();
    }
    put(folder.path(), ".hidden", b"passed over");
    let read = read_png_folder(folder.path()).unwrap();
    assert_eq!(read.iter().map(|(_, picture)| picture.pixels[0]).collect::<Vec<_>>(), [0.4, 0.2, 0.6]);

    put(folder.path(), "d.png", b"not a picture");
    message(read_png_folder(folder.path()), "d.png");
    fs::remove_file(folder.path().join("d.png")).unwrap();
    put(folder.path(), "notes.txt", b"");
    message(read_png_folder(folder.path()), "notes.txt");
    message(read_png_folder(&folder.path().join("absent")), "absent");
}

const PALETTE: [u8; 85] = [
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 1, 1, 3, 0, 0, 0, 206,
    236, 237, 201, 0, 0, 0, 6, 80, 76, 84, 69, 255, 0, 51, 0, 102, 204, 2, 72, 7, 246, 0, 0, 0, 10, 73, 68,
    65, 84, 120, 156, 99, 112, 0, 0, 0, 66, 0, 65, 41, 55, 244, 239, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96,
    130,
];

const PILLOW_BICUBIC: [u8; 64] = [
    0, 2, 3, 4, 5, 7, 8, 9, 2, 7, 12, 18, 24, 30, 35, 40, 3, 12, 23, 33, 44, 54, 64, 73, 4, 18, 33, 48, 62,
    78, 92, 107, 5, 24, 43, 63, 82, 101, 121, 140, 7, 29, 54, 78, 101, 125, 150, 172, 8, 35, 64, 93, 120,
    149, 179, 205, 9, 40, 74, 107, 140, 172, 205, 237,
];
