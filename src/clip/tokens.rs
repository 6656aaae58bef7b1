//! Texts as token ids, as OpenAI's `SimpleTokenizer` makes them.

use instant_clip_tokenizer::{Token, Tokenizer};
use unicode_normalization::UnicodeNormalization;

/// Rows of the token embedding that the vocabulary needs.
pub const VOCABULARY: usize = 49_408;

/// A text as ids, start and end of text included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Of the vocabulary, in order.
    pub ids: Vec<usize>,
    /// Tokens that the context had no room for.
    pub cut: usize,
}

/// The byte-pair encoder with CLIP's vocabulary. Building it takes a moment: make one.
pub struct Tokens {
    encoder: Tokenizer,
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}

impl Tokens {
    /// With OpenAI's own vocabulary.
    pub fn new() -> Self {
        Tokens { encoder: Tokenizer::new() }
    }

    /// Tokens of a text without start and end.
    pub fn count(&self, text: &str) -> usize {
        self.encode(text).len()
    }

    /// At most `context` ids, the last one the end of the text.
    pub fn text(&self, text: &str, context: usize) -> Text {
        let [start, end] = [self.encoder.start_of_text(), self.encoder.end_of_text()].map(id);
        let mut inner = self.encode(text);
        // A text may spell the end of a text; what follows is not read.
        inner.truncate(inner.iter().position(|&id| id == end).unwrap_or(inner.len()));
        let cut = (inner.len() + 2).saturating_sub(context);
        inner.truncate(inner.len() - cut.min(inner.len()));
        let ids = [start].into_iter().chain(inner).chain([end]).collect();
        Text { ids, cut }
    }

    fn encode(&self, text: &str) -> Vec<usize> {
        let mut tokens = Vec::new();
        self.encoder.encode(&clean(text), &mut tokens);
        tokens.into_iter().map(id).collect()
    }
}

fn id(token: Token) -> usize {
    usize::from(token.to_u16())
}

/// What the reference does before it splits a text: HTML's entities decoded twice, and of `ftfy.fix_text` the steps
/// that change text in good order: straight quotes, plain ligatures and widths, composed accents (NFC). Repair of
/// text that was decoded wrongly is left out.
pub fn clean(text: &str) -> String {
    let plain: String = html_escape::decode_html_entities(text).chars().flat_map(plain).collect();
    html_escape::decode_html_entities(&plain).nfc().collect()
}

fn plain(c: char) -> Vec<char> {
    match c {
        // Letters that stand for two, and the wide and narrow forms of East Asian typesetting.
        '\u{132}'
        | '\u{133}'
        | '\u{149}'
        | '\u{1f1}'..='\u{1f3}'
        | '\u{1c4}'..='\u{1cc}'
        | '\u{fb00}'..='\u{fb06}'
        | '\u{3000}'
        | '\u{ff01}'..='\u{ffef}' => std::iter::once(c).nfkc().map(straight).collect(),
        // Control characters that no text means.
        '\0'..='\x08' | '\x0b' | '\x0e'..='\x1f' | '\x7f' | '\u{feff}' => vec![],
        c => vec![straight(c)],
    }
}

fn straight(c: char) -> char {
    match c {
        '\u{2018}'..='\u{201b}' | '\u{2bc}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        c => c,
    }
}
