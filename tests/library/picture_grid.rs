//! The picture grid, read back as a picture.

use std::path::Path;

use gia_gpu::{
    data::{Picture, samples},
    report::{picture_grid, write_picture_grid},
};

fn read_back(png: &[u8]) -> image::RgbImage {
    image::load_from_memory(png).unwrap().into_rgb8()
}

#[test]
fn pictures_are_enlarged_by_a_whole_factor_and_wrap_at_eight() {
    let samples = samples();
    let originals: Vec<_> = (0..10).map(|index| samples.picture(index).unwrap()).collect();
    let restored: Vec<_> = originals
        .iter()
        .map(|picture| {
            let pixels = picture.pixels.iter().enumerate();
            let pixels = pixels.map(|(at, value)| 0.7 * value + 0.3 * ((at * 7919 % 97) as f32 / 97.0));
            Picture::new(3, 32, 32, pixels.collect()).unwrap()
        })
        .collect();
    let captions: Vec<_> = (0..10).map(|index| format!("{:.1} dB  0.81", 20.0 + index as f32)).collect();
    let folder = tempfile::tempdir().unwrap();
    // To look at the grid, name a folder to keep it in.
    let kept = std::env::var_os("GIA_KEEP_GRID");
    let path = kept.as_deref().map_or(folder.path(), Path::new).join("grid.png");
    write_picture_grid(&path, &[("original", &originals), ("reconstruction", &restored)], &captions).unwrap();

    let grid = read_back(&std::fs::read(&path).unwrap());
    // Eight columns of 96 pixels and more, two blocks of two rows.
    assert!(grid.width() > 8 * 96 && grid.height() > 4 * 96, "{:?}", grid.dimensions());
    assert!(grid.width() < 9 * 140 && grid.height() < 4 * 140, "{:?}", grid.dimensions());
    // The margin is white, and text is there in black.
    assert_eq!(grid.get_pixel(0, 0).0, [255; 3]);
    assert!(grid.pixels().any(|pixel| pixel.0 == [0; 3]));
}

#[test]
fn colours_reach_the_grid_unchanged_and_in_order() {
    let colour = |value: [f32; 3]| {
        Picture::new(3, 32, 32, value.into_iter().flat_map(|value| [value; 1024]).collect()).unwrap()
    };
    let originals = [colour([1.0, 0.0, 0.0]), colour([0.0, 1.0, 0.0])];
    let restored = [Picture::flat(1, 32, 32, 0.4).unwrap(), colour([0.0, 0.0, 1.0])];
    let grid = read_back(&picture_grid(&[("a", &originals), ("b", &restored)], &[]).unwrap());
    let count = |wanted: [u8; 3]| grid.pixels().filter(|pixel| pixel.0 == wanted).count();
    for wanted in [[255, 0, 0], [0, 255, 0], [102, 102, 102], [0, 0, 255]] {
        assert_eq!(count(wanted), 96 * 96, "{wanted:?}");
    }
    let centre = |wanted: [u8; 3]| {
        let found = grid.enumerate_pixels().find(|(_, _, pixel)| pixel.0 == wanted);
        found.map(|(x, y, _)| (x, y)).unwrap()
    };
    assert!(centre([255, 0, 0]).0 < centre([0, 255, 0]).0);
    assert!(centre([255, 0, 0]).1 < centre([102, 102, 102]).1);
    assert_eq!(centre([0, 255, 0]).0, centre([0, 0, 255]).0);
}

#[test]
fn odd_shapes_and_captions_are_drawn() {
    let thin = [Picture::flat(1, 1, 200, 0.5).unwrap()];
    let captions = ["naïve — 寿司, and a caption that is far wider than its picture".to_owned()];
    picture_grid(&[("", &thin)], &captions).unwrap();
    picture_grid(&[("a label that is taller than its picture", &thin), ("", &thin)], &[]).unwrap();
}

#[test]
fn grids_that_do_not_fit_together_are_refused() {
    let pictures = vec![Picture::flat(1, 8, 8, 0.5).unwrap(); 2];
    let larger = vec![Picture::flat(1, 9, 8, 0.5).unwrap(); 2];
    let message = |rows: &[(&str, &[Picture])], captions: &[String]| {
        picture_grid(rows, captions).unwrap_err().to_string()
    };
    assert!(message(&[], &[]).contains("none"));
    assert!(message(&[("a", &[])], &[]).contains("none"));
    assert!(message(&[("a", &pictures), ("b", &pictures[..1])], &[]).contains("\"b\", found 1"));
    assert!(message(&[("a", &pictures), ("b", &larger)], &[]).contains("9×8"));
    assert!(message(&[("a", &pictures)], &[String::new()]).contains("2 captions"));
    assert!(message(&[("a", &vec![pictures[0].clone(); 2000])], &[]).contains("1024"));
    let huge = vec![Picture::flat(1, 5000, 5000, 0.5).unwrap(); 8];
    assert!(message(&[("a", &huge)], &[]).contains("pixels"));
    let absent = Path::new("no/such/folder/grid.png");
    let failed = write_picture_grid(absent, &[("a", &pictures)], &[]).unwrap_err().to_string();
    assert!(failed.contains("no/such/folder/grid.png"));
}
