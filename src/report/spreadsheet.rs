//! Cells of CSV files as spreadsheets open them.

use std::borrow::Cow;

/// The text as a cell that no spreadsheet computes: with an apostrophe before it where it begins as a formula does and is
/// no number (OWASP, CSV injection).
pub fn cell(text: &str) -> Cow<'_, str> {
    let computes = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if computes { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("-cmd|' /C calc'!A0"), "'-cmd|' /C calc'!A0");
        for same in ["-0.5", "+1e3", "a=b", "dog", ""] {
            assert_eq!(cell(same), same);
        }
    }
}
