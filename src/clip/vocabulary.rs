//! Texts as the token ids that a model was trained with: CLIP's own byte pairs, or a `tokenizer.json`.

use std::path::Path;

use tokenizers::{Encoding, Tokenizer, utils::truncation::TruncationDirection};

use super::{
    ClipError, Naming,
    config::{Json, Part, Sources, Writer},
    text::Padding,
    tokens::{self, Text, Tokens, VOCABULARY},
};
use crate::files::incoming;

/// A tokenizer's words may be fewer than the embedding's rows, which are rounded up in some models, by this share.
const UNUSED: f64 = 0.1;

/// What is done to a text before it is cut into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clean {
    /// Spaces around and between words are made one.
    Whitespace,
    /// The same, and no upper case.
    Lower,
    /// The same, and no punctuation.
    Canonicalize,
}

/// What makes tokens of texts.
pub enum Vocabulary {
    /// CLIP's own byte pairs.
    Clip {
        /// The tokeniser.
        tokens: Box<Tokens>,
        /// Punctuation is taken away first.
        canonical: bool,
    },
    /// A `tokenizer.json`.
    File(Box<FileTokens>),
    /// There is none; what a text is told.
    Missing(std::path::PathBuf),
}

/// A `tokenizer.json` with what `tokenizer_config.json` says of it.
pub struct FileTokens {
    inner: Tokenizer,
    /// OpenCLIP cleans texts, `transformers` does not.
    clean: Option<Clean>,
    /// In place of what the file puts around a text: first and last id.
    around: Option<[Option<usize>; 2]>,
    /// Replaced by 0.
    separator: Option<usize>,
    pad: Option<usize>,
    pads_in_front: bool,
    /// The file says that the model is told which tokens are padding.
    hides_padding: bool,
    cuts_in_front: bool,
}

impl Vocabulary {
    /// The one that goes with an embedding of `rows`: a `tokenizer.json` where the files ask for one, else CLIP's own.
    ///
    /// # Errors
    /// A `tokenizer.json` that cannot be read, or whose words are not the embedding's.
    pub fn find(sources: &Sources, naming: Naming, rows: usize) -> Result<Vocabulary, ClipError> {
        let path = sources.folder.join("tokenizer.json");
        let open = sources.writer == Some(Writer::OpenClip)
            || sources.writer.is_none() && matches!(naming, Naming::OpenClip { .. });
        // OpenCLIP's own tokeniser reads no file.
        let named = sources.text_files.named.is_some();
        let fits = unused(VOCABULARY, rows).is_some_and(|share| share <= UNUSED);
        let own = open && !named && fits;
        if path.exists() && !own {
            return FileTokens::read(&path, sources, rows).map(|file| Vocabulary::File(Box::new(file)));
        }
        // Another tokenizer's files stand where a tokenizer.json could be.
        let other = ["vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"];
        let other = !open && other.iter().any(|name| sources.folder.join(name).exists());
        if named || !fits || other {
            return Ok(Vocabulary::Missing(sources.folder.clone()));
        }
        let canonical = sources.text_files.clean == Some(Clean::Canonicalize);
        Ok(Vocabulary::Clip { tokens: Box::new(Tokens::new()), canonical })
    }

    /// Ids that stand around every text.
    pub fn around(&self) -> usize {
        match self {
            Vocabulary::File(file) => file.added(),
            _ => 2,
        }
    }

    /// Tokens of a text without those around it.
    pub fn count(&self, text: &str, rows: usize) -> Result<usize, ClipError> {
        match self {
            Vocabulary::Clip { tokens, canonical: false } => Ok(tokens.count(text)),
            Vocabulary::Clip { tokens, .. } => Ok(tokens.count(&cleaned(text, Clean::Canonicalize))),
            Vocabulary::File(file) => Ok(file.encode(text)?.len()),
            Vocabulary::Missing(folder) => Err(ClipError::NoTokenizer { folder: folder.clone(), rows }),
        }
    }

    /// At most `context` ids.
    pub fn text(&self, text: &str, context: usize, rows: usize) -> Result<Text, ClipError> {
        match self {
            Vocabulary::Clip { tokens, canonical: false } => Ok(tokens.text(text, context)),
            Vocabulary::Clip { tokens, .. } => Ok(tokens.text(&cleaned(text, Clean::Canonicalize), context)),
            Vocabulary::File(file) => file.text(text, context),
            Vocabulary::Missing(folder) => Err(ClipError::NoTokenizer { folder: folder.clone(), rows }),
        }
    }

    /// What fills a text up to the context.
    ///
    /// # Errors
    /// The files say nothing of it.
    pub fn padding(&self, folder: &Path) -> Result<Padding, ClipError> {
        match self {
            Vocabulary::File(file) => match file.pad {
                Some(id) => Ok(Padding { id, in_front: file.pads_in_front, hidden: file.hides_padding }),
                None => Err(ClipError::Config {
                    path: folder.join("tokenizer_config.json"),
                    key: "pad_token".into(),
                    expected: "a token of the vocabulary: the model reads texts up to its whole context"
                        .into(),
                    found: "missing".into(),
                }),
            },
            _ => Ok(Padding::default()),
        }
    }

    /// Whether texts are padded in front, where a file says so.
    pub fn pads_in_front(&self) -> bool {
        matches!(self, Vocabulary::File(file) if file.pads_in_front)
    }
}

impl FileTokens {
    fn read(path: &Path, sources: &Sources, rows: usize) -> Result<FileTokens, ClipError> {
        let wrong = |what: String| ClipError::Tokenizer { path: path.into(), what };
        let bytes = incoming::read(path, incoming::TEXT)
            .map_err(|cause| ClipError::Read { path: path.into(), cause })?;
        let mut inner = Tokenizer::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
        let words = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        if unused(words, rows).is_none_or(|share| share > UNUSED) {
            return Err(ClipError::OtherVocabulary { path: path.into(), found: words, rows });
        }
        let padding = inner.get_padding().cloned();
        let _ = inner.with_truncation(None);
        inner.with_padding(None);
        let config = Json::read(sources.folder.join("tokenizer_config.json"))?;
        let map = Json::read(sources.folder.join("special_tokens_map.json"))?;
        let special = |key: &str| {
            [&config, &map].into_iter().flatten().find_map(|file| token(&file.part(), key, &inner))
        };
        let of_config = config.as_ref().map(Json::part);
        let side = |key: &str| match &of_config {
            Some(part) => match part.text(key)? {
                None => Ok(None),
                Some("left") => Ok(Some(true)),
                Some("right") => Ok(Some(false)),
                Some(other) => Err(part.wrong(key, "\"left\" or \"right\"", format!("\"{other}\""))),
            },
            None => Ok(None),
        };
        let flag = |key: &str| of_config.as_ref().map_or(Ok(None), |part| part.flag(key));
        let class = of_config.as_ref().map_or(Ok(None), |part| part.text("tokenizer_class"))?.unwrap_or("");
        let ends = [flag("add_bos_token")?, flag("add_eos_token")?];
        let around = ends.iter().any(Option::is_some).then(|| {
            let [first, last] = ends.map(|end| end.unwrap_or(false));
            [first.then(|| special("bos_token")).flatten(), last.then(|| special("eos_token")).flatten()]
        });
        let separator = if sources.text_files.strip_separator { special("sep_token") } else { None };
        let front = padding.as_ref().map(|p| matches!(p.direction, tokenizers::PaddingDirection::Left));
        let clean = match (sources.writer, class) {
            (Some(Writer::OpenClip), _) => Some(sources.text_files.clean.unwrap_or(Clean::Whitespace)),
            // These classes do so before their file sees the text.
            (_, "SiglipTokenizer") if flag("do_lower_case")? != Some(false) => Some(Clean::Canonicalize),
            (_, "Siglip2Tokenizer") => Some(Clean::Lower),
            _ => None,
        };
        // Where the file says nothing, padding is read as SigLIP was trained to.
        let inputs = of_config.as_ref().and_then(|part| part.value("model_input_names").as_array());
        let hides_padding = sources.writer == Some(Writer::HuggingFace)
            && inputs.is_some_and(|names| names.iter().any(|name| name == "attention_mask"));
        Ok(FileTokens {
            clean,
            hides_padding,
            around,
            separator,
            pad: special("pad_token").or(padding.map(|p| p.pad_id as usize)),
            pads_in_front: side("padding_side")?.or(front).unwrap_or(class == "Siglip2Tokenizer"),
            cuts_in_front: side("truncation_side")?.unwrap_or(false),
            inner,
        })
    }

    fn added(&self) -> usize {
        match &self.around {
            Some(ends) => ends.iter().flatten().count(),
            None => self.inner.get_post_processor().map_or(0, |p| {
                use tokenizers::PostProcessor;
                p.added_tokens(false)
            }),
        }
    }

    fn encode(&self, text: &str) -> Result<Encoding, ClipError> {
        let text = self.clean.map_or_else(|| text.to_string(), |clean| cleaned(text, clean));
        let wrong =
            |error: tokenizers::Error| ClipError::Tokens { text: text.clone(), what: error.to_string() };
        self.inner.encode(text.as_str(), false).map_err(wrong)
    }

    fn text(&self, text: &str, context: usize) -> Result<Text, ClipError> {
        let mut encoding = self.encode(text)?;
        let room = context.saturating_sub(self.added());
        let cut = encoding.len().saturating_sub(room);
        let direction =
            if self.cuts_in_front { TruncationDirection::Left } else { TruncationDirection::Right };
        encoding.truncate(room, 0, direction);
        let mut ids: Vec<usize> = match &self.around {
            Some([first, last]) => {
                let inner = encoding.get_ids().iter().map(|&id| id as usize);
                first.iter().copied().chain(inner).chain(last.iter().copied()).collect()
            }
            None => {
                let wrong = |error: tokenizers::Error| ClipError::Tokens {
                    text: text.into(),
                    what: error.to_string(),
                };
                let whole = self.inner.post_process(encoding, None, true).map_err(wrong)?;
                whole.get_ids().iter().map(|&id| id as usize).collect()
            }
        };
        ids.iter_mut().filter(|id| Some(**id) == self.separator).for_each(|id| *id = 0);
        Ok(Text { ids, cut })
    }
}

/// The share of an embedding's rows that so many words leave unused; `None` where there are more words than rows.
fn unused(words: usize, rows: usize) -> Option<f64> {
    (words <= rows && words > 0).then(|| (rows - words) as f64 / rows as f64)
}

/// The id of a special token, given as a text or as an object with `content`.
fn token(part: &Part, key: &str, tokenizer: &Tokenizer) -> Option<usize> {
    let value = part.value(key);
    let content = value.as_str().or_else(|| value["content"].as_str())?;
    tokenizer.token_to_id(content).map(|id| id as usize)
}

fn cleaned(text: &str, clean: Clean) -> String {
    let plain = tokens::clean(text);
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean {
        Clean::Whitespace => spaced(&plain),
        Clean::Lower => spaced(&plain).to_lowercase(),
        Clean::Canonicalize => {
            let bare: String =
                plain.replace('_', " ").chars().filter(|c| !c.is_ascii_punctuation()).collect();
            spaced(&bare.to_lowercase())
        }
    }
}
