//! Advice on defences as a section of a page.

use crate::report::{
    Advice, Tried, What,
    html::{Cell, Measured, Section, Table},
};

/// What would protect the clients.
pub(crate) fn section(advice: &Advice) -> Section {
    let of = |tried: &Tried, what: What| {
        let finding = tried.of(what);
        let estimate = finding.and_then(|f| Some(Measured { mean: f.estimate?, interval_95: f.interval }));
        match (estimate, what) {
            (None, _) => Cell::none(),
            (Some(ssim), What::Pictures) => Cell::measured(ssim, 3),
            (Some(share), _) => Cell::share(share),
        }
    };
    let mut table = Table::new([
        "defence, attacked by one who knows it",
        "cosine with the gradient",
        "SSIM of the pictures",
        "members found",
        "labels restored",
        "closes the leak",
        "accuracy",
        "privacy of the training",
    ]);
    for tried in &advice.tried {
        let cost = advice.frontier.iter().find(|cost| cost.defence == tried.defence);
        let accuracy = match tried.defence.as_str() {
            "none" => advice.accuracy,
            _ => cost.map(|cost| cost.accuracy),
        };
        let accuracy = accuracy.map(|a| Measured { mean: a.share, interval_95: Some(a.interval) });
        table = table.row([
            Cell::from(tried.defence.as_str()),
            Cell::number(tried.similarity, 3),
            of(tried, What::Pictures),
            of(tried, What::Membership),
            of(tried, What::Labels),
            Cell::from(if tried.protects { "yes" } else { "no" }),
            accuracy.map_or(Cell::none(), Cell::share),
            cost.and_then(|c| c.privacy)
                .map_or(Cell::none(), |privacy| Cell::from(privacy.to_string().as_str())),
        ]);
    }
    let section = Section::new("What would protect these clients", table).reading(&advice.sentence);
    let notes = advice.notes.iter().chain(advice.frontier.iter().filter_map(|cost| cost.note.as_ref()));
    notes.fold(section, |section, note| section.note(note))
}
