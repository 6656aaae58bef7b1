//! A verdict for a person at a terminal: it comes first.

use std::fmt::Write;

use crate::report::Verdict;

/// Steps that are listed.
const LISTED: usize = 3;

/// The sentence, what to know of the attacks, and what to try next, in lines that fit the terminal.
pub(crate) fn of(verdict: &Verdict) -> String {
    let terminal = console::Term::stdout();
    // Whoever reads lines does not want them broken.
    let width = if terminal.is_term() { usize::from(terminal.size().1).clamp(40, 100) } else { usize::MAX };
    let mut text =
        wrapped(&format!("{}: {}", verdict.answer.words().to_uppercase(), verdict.sentence), "", width);
    for test in verdict.failed_tests.iter().take(LISTED) {
        let _ = write!(text, "\n{}", wrapped(test, "  ! ", width));
    }
    for step in verdict.next.iter().take(LISTED) {
        let _ = write!(text, "\n{}", wrapped(step, "  next: ", width));
    }
    text
}

/// Lines of at most so many columns, broken between words; the first begins with `mark`, the others with as many blanks.
fn wrapped(text: &str, mark: &str, width: usize) -> String {
    let blank = " ".repeat(mark.chars().count());
    let (mut lines, mut line) = (vec![], mark.to_string());
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && console::measure_text_width(&line) + 1 + console::measure_text_width(word) > width {
            lines.push(std::mem::replace(&mut line, blank.clone()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words() {
        let text = wrapped("one two three four five", "  ! ", 14);
        assert_eq!(text, "  ! one two\n    three four\n    five");
        assert_eq!(wrapped("averyveryverylongword", "", 5), "averyveryverylongword");
    }
}
