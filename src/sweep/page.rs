//! `report.html` of a sweep.

use super::{
    Configuration, Source,
    plots::{Group, defences, name, trainings, undefended, values},
    points::{Line, Point},
};
use crate::{
    attack::threat::ThreatModel,
    report::Verdict,
    report::html::{
        self, Axis, Cell, Curves, KeyFigure, Measured, Page, PictureBatch, Pictures, Provenance, Scale,
        Section, Series, Table, Threat,
    },
    statistics::holm,
};

/// All that the page tells of.
pub(crate) struct Facts<'a> {
    /// The command as called.
    pub command: &'a [String],
    pub lines: &'a [Line],
    /// A few pictures of each cell.
    pub samples: &'a [PictureBatch],
    /// Batches of an aggregation.
    pub together: usize,
    /// How names were given.
    pub one_to_one: bool,
    pub configuration: &'a Configuration,
    /// With the victims that it is of.
    pub threats: &'a [(ThreatModel, Vec<String>)],
    pub data: &'a str,
    /// What named the pictures, if anything did.
    pub model: Option<&'a str>,
    pub seed: u64,
    pub device: &'a str,
    /// Cells that are not finished, of how many.
    pub missing: [usize; 2],
    /// Absent where nothing could be attacked.
    pub verdict: Option<Verdict>,
}

pub(crate) fn page(facts: &Facts) -> Page {
    let plain = undefended(facts.lines);
    let random = facts.lines.iter().flat_map(|l| &l.points).find_map(|p| p.random);
    let mut sections = vec![];
    if let Some(random) = random {
        sections.extend(accuracy(facts, &plain, random));
    }
    sections.push(likeness(&plain));
    if !facts.samples.is_empty() {
        let pictures = Pictures { batches: facts.samples.to_vec() };
        sections.push(Section::new("Pictures", pictures).note("The first pictures of a batch of each cell."));
    }
    sections.push(all(facts));
    if random.is_some() {
        sections.push(controls(facts));
    }
    sections.extend(facts.threats.iter().map(|(model, victims)| {
        let title = match facts.threats.len() {
            1 => "Threat model".into(),
            _ => format!("Threat model: {}", victims.join(", ")),
        };
        Section::new(title, Threat::from(model))
    }));
    sections
        .push(Section::new("Options", options(facts.configuration)).reading("All that decides the results."));
    let provenance =
        Provenance::of(facts.command.to_vec(), facts.seed, facts.device).with("data", facts.data);
    let provenance = match facts.model {
        Some(model) => provenance.with("named by", model),
        None => provenance,
    };
    let mut sentence = named(facts, &plain, random);
    let [missing, all] = facts.missing;
    if missing > 0 {
        sentence += &format!(" Not finished: {missing} of {all} cells are missing.");
    }
    Page {
        title: "What updates give away, by batch size".into(),
        verdict: match facts.verdict.clone() {
            Some(verdict) => {
                let sentence = format!("{} {sentence}", verdict.sentence);
                Verdict { sentence, ..verdict }.into()
            }
            None => sentence.into(),
        },
        figures: key_figures(facts, &plain, random),
        sections,
        provenance,
    }
}

fn one(point: &Point) -> Option<Measured> {
    point.single.get(&Source::Reconstructions).copied()
}

fn several(point: &Point) -> Option<Measured> {
    point.aggregated.get(&Source::Reconstructions).copied()
}

fn originals(point: &Point) -> Option<Measured> {
    point.single.get(&Source::Originals).copied()
}

fn percent(value: Measured) -> String {
    format!("{:.0} %", 100.0 * value.mean)
}

/// In a sentence that stands alone.
fn whole_name(line: &Line) -> String {
    let state = if line.is_trained() { "a trained" } else { "an untrained" };
    format!("{state} {}", line.victim)
}

/// Of the first line that was named: its smallest and its largest batches.
fn named(facts: &Facts, plain: &[&Line], random: Option<f64>) -> String {
    let found = plain.iter().find_map(|line| {
        let named = values(line, one);
        Some((*line, *named.first()?, *named.last()?))
    });
    let (Some((line, first, last)), Some(random)) = (found, random) else {
        return "Pictures were reconstructed and compared; nothing was named.".into();
    };
    let beside = format!("guessing gives {:.0} %", 100.0 * random);
    let both = |first: (usize, Measured), last: (usize, Measured)| match first.0 == last.0 {
        true => percent(first.1),
        false => format!("{} and {}", percent(first.1), percent(last.1)),
    };
    let sizes = match first.0 == last.0 {
        true => format!("with {} in it", pictures(first.0)),
        false => format!("with {} and with {} in it", pictures(first.0), last.0),
    };
    let one = format!(
        "From one update of {} an eavesdropper names {} of the labels right, {sizes}",
        whole_name(line),
        both(first, last)
    );
    let together = values(line, several);
    match (together.first(), together.last()) {
        (Some(&first), Some(&last)) => {
            let updates = facts.together;
            format!("{one}; from {updates} updates together {}; {beside}.", both(first, last))
        }
        _ => format!("{one}; {beside}."),
    }
}

fn pictures(count: usize) -> String {
    if count == 1 { "1 picture".into() } else { format!("{count} pictures") }
}

fn key_figures(facts: &Facts, plain: &[&Line], random: Option<f64>) -> Vec<KeyFigure> {
    let beside = random.map_or(String::new(), |r| format!("guessing: {:.0} %", 100.0 * r));
    let figure = |line: &&Line| {
        let (size, value) = *values(line, one).first()?;
        let meaning =
            format!("of the labels named right from one update of {}, {}", whole_name(line), pictures(size));
        Some(KeyFigure { value: percent(value), meaning, beside: beside.clone() })
    };
    let aggregated = |line: &&Line| {
        let (size, value) = *values(line, several).first()?;
        let meaning =
            format!("from {} updates of {}, {} each", facts.together, whole_name(line), pictures(size));
        Some(KeyFigure { value: percent(value), meaning, beside: beside.clone() })
    };
    plain.iter().take(2).flat_map(|line| [figure(line), aggregated(line)]).flatten().collect()
}

fn curve(line: &Line, name: String, value: fn(&Point) -> Option<Measured>) -> Series {
    Series::new(name, values(line, value).into_iter().map(|(size, value)| (size as f64, value)))
}

fn accuracy(facts: &Facts, plain: &[&Line], random: f64) -> Vec<Section> {
    let compared = |lines: &[&Line]| {
        let series = lines.iter().map(|line| curve(line, name(line, lines), one)).collect();
        Curves::over_batch_size(series).level("random", random)
    };
    let overview = Section::new("Labels named right from one update", compared(plain));
    let mut sections = vec![match facts.one_to_one {
        true => overview.note("Every label index got another name (one-to-one)."),
        false => overview.note("Every label index got its most probable name (greedy)."),
    }];
    for line in plain.iter().filter(|line| !values(line, several).is_empty()) {
        let series = vec![
            curve(line, "one update".into(), one),
            curve(line, format!("{} updates", facts.together), several),
            curve(line, "originals, one update".into(), originals),
        ];
        let title = format!("One update and {}: {}", facts.together, name(line, plain));
        let curves = Curves::over_batch_size(series).level("random", random);
        sections.push(Section::new(title, curves));
    }
    let section =
        |what: &str, group: &Group| Section::new(format!("{what}: {}", group.title), compared(&group.lines));
    sections.extend(trainings(facts.lines).iter().map(|g| section("Untrained and trained", g)));
    sections.extend(defences(facts.lines).iter().map(|g| section("Defences", g)));
    sections
}

fn likeness(plain: &[&Line]) -> Section {
    let curves = Curves {
        x: Axis::new("pictures in a batch", Scale::Doubling),
        y: Axis::new("SSIM, one-to-one", Scale::Linear),
        series: plain.iter().map(|line| curve(line, name(line, plain), |p| p.ssim)).collect(),
        levels: vec![],
    };
    let reading = "How like the originals the reconstructions are, in the best order; 1 is the same picture. \
                   Thin lines are 95 % intervals.";
    Section::new("Likeness of the pictures", curves).reading(reading)
}

/// Every point of every line.
fn all(facts: &Facts) -> Section {
    let columns = [
        "victim".to_string(),
        "pictures".into(),
        "batches".into(),
        "named from one update".into(),
        format!("from {}", facts.together),
        "originals".into(),
        "PSNR dB".into(),
        "SSIM".into(),
        "SSIM of flat grey".into(),
        "LPIPS".into(),
        "FMSE".into(),
        "rank, features".into(),
        "labels found".into(),
        "members found".into(),
    ];
    let share = |value: Option<Measured>| value.map_or(Cell::none(), Cell::share);
    let number =
        |value: Option<Measured>, decimals| value.map_or(Cell::none(), |v| Cell::measured(v, decimals));
    let table = rows(facts.lines).fold(Table::new(columns), |table, (name, point)| {
        table.row([
            Cell::from(name),
            Cell::from(point.batch_size),
            Cell::from(point.batches),
            share(one(point)),
            share(several(point)),
            share(originals(point)),
            number(point.psnr, 2),
            number(point.ssim, 3),
            number(point.ssim_flat_grey, 3),
            number(point.likeness.lpips, 3),
            point.likeness.fmse.map_or(Cell::none(), |v| Cell::loss(v.mean)),
            number(point.likeness.rank_features, 1),
            share(point.irec),
            share(point.membership),
        ])
    });
    let section = Section::new("All figures", table).reading(
        "LPIPS, FMSE: how unlike their originals the reconstructions are to AlexNet and to the victim's features. Rank: place of \
         the true original among all of the row, by the victim's features. \
         Members found: pictures of the client that are nearer to what its update spans than every picture of no client.",
    );
    let skipped: usize = facts.lines.iter().flat_map(|l| &l.points).map(|p| p.skipped).sum();
    match skipped {
        0 => section,
        n => section.note(format!("{n} batches are left out: their gradients could not be attacked.")),
    }
}

/// What names are read from, and what the same model reads out of pictures that know nothing.
fn controls(facts: &Facts) -> Section {
    let columns = ["victim", "pictures"].map(String::from).into_iter();
    let sources = Source::ALL.map(|source| source.name().replace('_', " ")).into_iter();
    let table = Table::new(columns.chain(sources).chain(["random", "p, the weakest"].map(String::from)));
    // Better than every control: as sure as it is beside the one that comes closest, and of all rows together.
    let weakest: Vec<Option<f64>> =
        rows(facts.lines).map(|(_, p)| p.against.values().copied().reduce(f64::max)).collect();
    let mut corrected = holm(&weakest.iter().flatten().copied().collect::<Vec<_>>()).into_iter();
    let p_values = weakest.into_iter().map(|p| p.and_then(|_| corrected.next())).collect::<Vec<_>>();
    let table = rows(facts.lines).zip(p_values).fold(table, |table, ((name, point), p_value)| {
        let share = |source: &Source| point.single.get(source).map_or(Cell::none(), |&v| Cell::share(v));
        let first = [Cell::from(name), Cell::from(point.batch_size)].into_iter();
        let random = point.random.map_or(Cell::none(), |r| Cell::share(html::Measured::from(r)));
        let p_value = p_value.map_or(Cell::none(), |p| Cell::number(p, 4));
        table.row(first.chain(Source::ALL.iter().map(share)).chain([random, p_value]))
    });
    Section::new("Rows and controls", table).reading(
        "Share of the labels named right from one update: from its reconstructions, from the class features in its last \
         layer, and from both; by the model alone, with public pictures and no update; and from other pictures in place \
         of the reconstructions: the originals (the most that can be read), the reconstructions dealt to other labels, noise, flat grey, \
         originals of other batches. The last column: how often chance makes the reconstructions name as much more than \
         the closest of these controls does on the same batches, corrected for all rows (Holm).",
    )
}

fn rows(lines: &[Line]) -> impl Iterator<Item = (String, &Point)> {
    let all: Vec<&Line> = lines.iter().collect();
    lines.iter().flat_map(move |line| {
        let name = name(line, &all);
        line.points.iter().map(move |point| (name.clone(), point))
    })
}

fn options(configuration: &Configuration) -> html::Facts {
    let options = configuration.options().iter();
    options.fold(html::Facts::new(), |facts, (option, value)| facts.with(option.clone(), value))
}
