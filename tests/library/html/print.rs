//! A page on paper loses no number: Chromium prints it, pdftotext reads it back.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use gia_gpu::report::html::{Cell, Measured, Page, Provenance, Section, Table};

/// A table as wide as that of a sweep: ten columns, eight of them with intervals.
fn wide() -> (Page, Vec<String>) {
    let names: Vec<String> = (0..10).map(|i| format!("column {i} from one update")).collect();
    let (mut table, mut numbers) = (Table::new(names), vec![]);
    for row in 0..24_u32 {
        let mut cells = vec![Cell::from(format!("untrained resnet20 {row}")), Cell::from(row as usize)];
        for column in 0..8 {
            let mean = 0.1 + 0.001 * f64::from(row * 8 + column);
            let measured = Measured { mean, interval_95: Some([mean - 0.0571, mean + 0.0603]) };
            numbers.extend([mean, mean - 0.0571, mean + 0.0603].map(|v| format!("{v:.3}")));
            cells.push(Cell::measured(measured, 3));
        }
        table = table.row(cells);
    }
    let page = Page {
        title: "On paper".into(),
        verdict: "Every number is there.".into(),
        figures: vec![],
        sections: vec![Section::new("All figures", table)],
        provenance: Provenance {
            tool: "gia-gpu".into(),
            version: "0".into(),
            command: vec![],
            seed: 1,
            device: "none".into(),
            more: vec![],
        },
    };
    (page, numbers)
}

fn print(page: &Path, pdf: &Path) -> std::io::Result<bool> {
    let status = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"])
        .arg(format!("--user-data-dir={}", pdf.with_file_name("profile").display()))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success() && pdf.exists())
}

#[test]
fn a_wide_table_is_printed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let [html, pdf] = ["page.html", "page.pdf"].map(|name| folder.path().join(name));
    let (page, numbers) = wide();
    page.write(&html).unwrap();
    match print(&html, &pdf) {
        Ok(true) => {}
        Ok(false) => panic!("chromium is there and did not print"),
        Err(error) => {
            println!("skipped: no chromium to print with ({error})");
            return;
        }
    }
    let read = match Command::new("pdftotext").arg("-raw").arg(&pdf).arg("-").output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => panic!("pdftotext: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: no pdftotext to read with ({error})");
            return;
        }
    };
    let missing: Vec<&String> = numbers.iter().filter(|number| !read.contains(number.as_str())).collect();
    assert!(
        missing.is_empty(),
        "{} of {} numbers are not on paper: {missing:?}",
        missing.len(),
        numbers.len()
    );
}
