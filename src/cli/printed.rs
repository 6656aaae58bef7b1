//! Text from files and options as a terminal may see it: nothing in it moves the cursor, changes the title or turns the
//! direction of reading, and nothing fills the screen.

use std::borrow::Cow;

/// Characters of a line that are shown at most, and of what is too long how many of its beginning and of its end.
const LONGEST: usize = 4_000;
const BEGINNING: usize = 2_000;
const END: usize = 500;

/// The same text with control and bidirectional characters written as escapes (`\u{1b}`) and lines that are too long
/// shortened in their middle. Line breaks stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(moves) && text.lines().all(|line| line.len() <= LONGEST) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(1 << 20));
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let count = line.chars().count();
        let mut push = |c: char| if moves(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) };
        match count > LONGEST {
            false => line.chars().for_each(push),
            true => {
                line.chars().take(BEGINNING).for_each(&mut push);
                format!(" … {} characters left out … ", count - BEGINNING - END).chars().for_each(&mut push);
                line.chars().skip(count - END).for_each(push);
            }
        }
        shown.push_str(end);
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something else with it than show it.
fn moves(c: char) -> bool {
    // Marks of direction, isolates and overrides; line and paragraph separators.
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_is_written_out() {
        assert!(matches!(harmless("plain – text\n\tä 😀"), Cow::Borrowed(_)));
        assert_eq!(harmless("a\u{1b}]0;title\u{7}b\r\n"), "a\\u{1b}]0;title\\u{7}b\\u{d}\n");
        assert_eq!(harmless("\u{202e}gnp.exe\u{9b}2J"), "\\u{202e}gnp.exe\\u{9b}2J");
    }

    #[test]
    fn what_fills_the_screen_is_shortened() {
        let long = format!("file {} is not one\nnext", "x".repeat(100_000));
        let shown = harmless(&long);
        assert!(shown.len() < 3_000 && shown.ends_with("is not one\nnext"), "{}", shown.len());
        assert!(shown.contains("characters left out"));
    }
}
