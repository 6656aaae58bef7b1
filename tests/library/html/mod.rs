//! `report.html`: whole, self-contained, well-formed, and nobody's text is taken for markup.

mod print;
mod sample;

use std::{collections::HashSet, fs, path::Path};

use gia_gpu::report::html::*;
use scraper::{ElementRef, Html, Selector};

/// Parses what must be well-formed.
fn parse(html: &str) -> Html {
    let document = Html::parse_document(html);
    assert!(document.errors.is_empty(), "{:?}", document.errors);
    document
}

fn all<'a>(document: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    document.select(&Selector::parse(selector).unwrap()).collect()
}

fn texts(document: &Html, selector: &str) -> Vec<String> {
    let words =
        |e: &ElementRef| e.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    all(document, selector).iter().map(words).collect()
}

fn page_of(body: impl Into<Body>) -> Page {
    Page { sections: vec![Section::new("Only section", body)], figures: vec![], ..sample::page() }
}

#[test]
fn a_page_of_every_kind_of_section_is_well_formed_and_needs_no_network() {
    // Stays where it is, for people who want to look.
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    sample::page().write(&path).unwrap();
    let html = fs::read_to_string(&path).unwrap();
    let document = parse(&html);
    let text: String = html.split('"').filter(|part| !part.starts_with("data:image/png;base64,")).collect();
    for outside in ["http:", "https:", "//", "url(", "@import", "<link", "<script", "<iframe"] {
        assert!(!text.contains(outside), "{outside}");
    }
    for element in all(&document, "*") {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{name}");
            let is_link = matches!(name, "src" | "href" | "xlink:href" | "srcset" | "action");
            assert!(
                !is_link || value.starts_with("data:image/png;base64,") || value.starts_with('#'),
                "{value}"
            );
        }
    }
}

#[test]
fn headings_step_down_by_one_and_identifiers_are_unique() {
    let document = parse(&sample::page().render().unwrap());
    let levels: Vec<u32> =
        all(&document, "h1, h2, h3, h4").iter().map(|h| h.value().name()[1..].parse().unwrap()).collect();
    assert_eq!(levels[0], 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1 && pair[1] > 1), "{levels:?}");
    let mut seen = HashSet::new();
    assert!(all(&document, "[id]").iter().all(|e| seen.insert(e.attr("id").unwrap().to_owned())));
    for link in all(&document, "nav a") {
        assert!(seen.contains(link.attr("href").unwrap().trim_start_matches('#')));
    }
    assert_eq!(texts(&document, "section > .reading").len(), sample::page().sections.len() + 1);
}

#[test]
fn pictures_and_plots_have_words_for_those_who_do_not_see_them() {
    let document = parse(&sample::page().render().unwrap());
    assert!(all(&document, "img").iter().all(|image| !image.attr("alt").unwrap_or_default().is_empty()));
    let plots = all(&document, "svg");
    let spoken =
        |plot: &ElementRef| plot.attr("aria-hidden").is_some() || plot.attr("aria-labelledby").is_some();
    assert!(plots.iter().all(spoken));
}

#[test]
fn text_from_outside_stays_text() {
    let hostile = "<script>alert('1')</script>\"><img src=x onerror=alert(1)>&amp;";
    let mut page = sample::page();
    let images = all(&parse(&page.render().unwrap()), "img").len();
    page.title = hostile.into();
    page.verdict = hostile.into();
    page.figures[0].meaning = hostile.into();
    page.provenance.command.push(hostile.into());
    page.provenance.device = hostile.into();
    for section in &mut page.sections {
        section.title = hostile.into();
        section.reading = hostile.into();
        section.notes.push(hostile.into());
        match &mut section.body {
            Body::Pictures(pictures) => {
                pictures.batches[0].title = hostile.into();
                pictures.batches[0].originals[0].name = Some(hostile.into());
                pictures.batches[0].reconstructions[0].found = Some(hostile.into());
                pictures.batches[0].reconstructions[0].truth = Some("other".into());
            }
            Body::Matrix(matrix) => {
                matrix.columns[0] = hostile.into();
                matrix.rows[0].name = hostile.into();
                matrix.of = hostile.into();
            }
            Body::Curves(curves) => {
                curves.series[0].name = hostile.into();
                curves.x.label = hostile.into();
                curves.levels.push(Level::new(hostile, 0.5));
            }
            Body::Bars(bars) => {
                bars.conditions[0] = hostile.into();
                bars.groups[0].name = hostile.into();
            }
            Body::Ranking(ranking) => ranking.hypotheses[0].names[0].1 = hostile.into(),
            Body::Table(table) => table.rows[0][0] = hostile.into(),
            Body::Facts(facts) => facts.facts[0].1 = hostile.into(),
            Body::Film(film) => {
                film.strips[0].title = hostile.into();
                film.strips[0].frames[0].1 = hostile.into();
            }
            Body::Threat(threat) => threat.granted[0] = hostile.into(),
        }
    }
    let document = parse(&page.render().unwrap());
    assert_eq!(all(&document, "script").len(), 0);
    assert_eq!(all(&document, "img").len(), images);
    assert_eq!(all(&document, "[onerror]").len(), 0);
    assert_eq!(texts(&document, "h1"), [hostile]);
    assert!(texts(&document, ".matrix thead th").contains(&hostile.to_owned()));
}

#[test]
fn lines_join_each_reconstruction_to_the_original_it_was_made_from() {
    // The copies are in reversed order, so reconstruction i belongs to original 3 − i.
    let document =
        parse(&page_of(Pictures { batches: vec![sample::named_batch("b", 4, 0.2)] }).render().unwrap());
    let lines: Vec<&str> = all(&document, ".links path").iter().map(|p| p.attr("d").unwrap()).collect();
    let ends = lines.iter().map(|line| {
        let numbers: Vec<i32> = line.split(['M', 'C', ' ']).filter_map(|n| n.parse().ok()).collect();
        [numbers[0], numbers[numbers.len() - 2]].map(|x| (x - 50) / 100)
    });
    assert_eq!(ends.collect::<Vec<_>>(), [[3, 0], [2, 1], [1, 2], [0, 3]]);
    let scores = texts(&document, ".reconstructions .score");
    assert!(scores[0].starts_with("SSIM 0.") && scores[1].ends_with(" dB"), "{scores:?}");
    assert_eq!(texts(&document, ".reconstructions .wrong").len(), 1);
    assert_eq!(texts(&document, ".reconstructions .right").len(), 3);
}

#[test]
fn large_batches_are_shown_pair_by_pair_and_unknown_originals_left_out() {
    let large = page_of(Pictures { batches: vec![sample::named_batch("b", 16, 0.5)] }).render().unwrap();
    let pairs = all(&parse(&large), ".pairs li img").len();
    assert_eq!(pairs, 32);
    let mut unknown = sample::named_batch("b", 12, 0.5);
    unknown.originals.clear();
    let document = parse(&page_of(Pictures { batches: vec![unknown] }).render().unwrap());
    assert_eq!((all(&document, "img").len(), all(&document, ".links").len()), (12, 0));
    assert!(texts(&document, ".reading")[0].contains("the originals are not known"));
    let many = Pictures { batches: vec![sample::named_batch("b", 128, 0.5); 3] };
    let document = parse(&page_of(many).render().unwrap());
    assert_eq!(all(&document, ".batch").len(), 2);
    assert_eq!(texts(&document, ".note"), ["1 more batch is not shown here."]);
}

#[test]
fn the_matrix_marks_what_was_read_and_what_is_true() {
    let names = ["coat", "bag", "dress"].map(String::from);
    let document = parse(&page_of(sample::matrix(&names)).render().unwrap());
    let row = texts(&document, ".matrix tbody tr:nth-child(1) td");
    assert!(row[0].ends_with("✓ (read out)") && !row[1].contains('✓'), "{row:?}");
    // The third row was read as the first name.
    assert_eq!(texts(&document, ".matrix tbody tr:nth-child(3) .chosen").len(), 1);
    assert!(texts(&document, ".matrix tbody tr:nth-child(3) td.truth")[0].ends_with('✓'));
    // Of many names, the marked ones stay.
    let names: Vec<String> = (0..219).map(|i| format!("name {i}")).collect();
    let mut matrix = sample::matrix(&names);
    matrix.rows[0].truth = Some(218);
    let document = parse(&page_of(matrix).render().unwrap());
    let columns = texts(&document, ".matrix thead th");
    assert!(columns.len() == 25 && columns.contains(&"name 218".to_owned()), "{columns:?}");
    assert!(texts(&document, ".note")[0].starts_with("195 more names have no column"));
}

#[test]
fn a_ranking_tells_ties_margin_and_the_true_place() {
    let places = sample::ranking().places();
    assert_eq!(places[..4], [1, 1, 3, 4]);
    let document = parse(&page_of(sample::ranking()).render().unwrap());
    let words = texts(&document, "section > p")[1].clone();
    assert_eq!(
        words,
        "The first 2 of 12 hypotheses are tied: the gradient does not tell them apart. The true one is number 3."
    );
    let mut clear = sample::ranking();
    clear.hypotheses.remove(0);
    let document = parse(&page_of(clear).render().unwrap());
    assert!(
        texts(&document, "section > p")[1]
            .contains("The runner-up of 11 hypotheses lies +4.00 % above the first.")
    );
    assert_eq!(texts(&document, ".ranking tr.true th"), ["2"]);
}

#[test]
fn numbers_stand_beside_plots_and_to_the_right() {
    let document = parse(&sample::page().render().unwrap());
    let cells = texts(&document, "#section-3 td.number");
    assert!(cells.contains(&"67.0 [59.0, 75.0] %".to_owned()), "{cells:?}");
    assert_eq!(texts(&document, "#section-7 thead th.number").len(), 3);
    assert_eq!(texts(&document, "pre"), ["gia-gpu run --data 'my pictures' --batch 4"]);
    assert!(texts(&document, ".legend").iter().any(|legend| legend.contains("random: 10.0 %")));
}

#[test]
fn lengths_that_do_not_fit_are_an_error_that_says_where() {
    let mut matrix = sample::matrix(&["coat", "bag"].map(String::from));
    matrix.rows[1].values.pop();
    let error = page_of(matrix).render().unwrap_err().to_string();
    assert!(
        error.contains("row \"1\" of a similarity matrix") && error.contains("found 1 values"),
        "{error}"
    );
    let mut batch = sample::named_batch("b", 2, 0.1);
    batch.reconstructions[0].picture.pixels.pop();
    let error = page_of(Pictures { batches: vec![batch] }).render().unwrap_err().to_string();
    assert!(error.contains("pixels of a picture"), "{error}");
}
