//! The page's section on who read the pictures, where names had pulled at them.

use crate::{
    report::{
        RunReport,
        html::{Cell, Section, Table},
    },
    semantic::{Accuracy, SemanticReport},
};

pub(super) fn section(report: &RunReport) -> Option<Section> {
    let (guidance, puller) = (report.guidance.as_ref()?, report.semantic.as_ref()?);
    let readers =
        [Some((puller, "pulled at the pictures")), report.judge.as_ref().map(|j| (j, "did not pull"))];
    let mut table = Table::new(["reader", "", "reconstructions named right", "originals", "names"]);
    for (semantic, what) in readers.into_iter().flatten() {
        let accuracy = semantic.accuracy.as_ref();
        let share = |of: Option<&Accuracy>| {
            of.and_then(|a| a.score(semantic.assignment))
                .map_or_else(Cell::none, |s| Cell::share(s.per_batch))
        };
        table = table.row([
            Cell::from(semantic.model.as_str()),
            Cell::from(what),
            share(accuracy.map(|a| &a.reconstructions)),
            share(accuracy.map(|a| &a.originals)),
            Cell::from(names(semantic).as_str()),
        ]);
    }
    let section = Section::new("Who reads the pictures", table);
    Some(guidance.note.iter().fold(section, |section, note| section.note(note.clone())))
}

fn names(semantic: &SemanticReport) -> String {
    let each = semantic.aggregated.iter().map(|naming| format!("{} = {}", naming.index, naming.name));
    each.collect::<Vec<_>>().join(", ")
}
