//! Whether what arrived is what was asked for: a login page, or nothing at all, is no weights.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use safetensors::tensor::Metadata;

/// What a file must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// It is not looked at.
    #[default]
    Anything,
    /// Its header must be whole and fit its length.
    Safetensors,
    /// It must be one JSON value.
    Json,
}

/// Bytes of a header's length.
const PREFIX: u64 = 8;
/// The largest header that the format allows.
const HEADER: u64 = 100_000_000;
/// The most bytes of JSON beside weights.
const JSON: u64 = 64 << 20;
/// The most bytes of weights, where nobody says how many there are.
const WEIGHTS: u64 = 64 << 30;
/// Bytes that tell what else a file is.
const START: usize = 64;

impl Content {
    /// The most bytes that such a file has.
    pub fn most(self) -> u64 {
        if self == Content::Json { JSON } else { WEIGHTS }
    }

    /// What was expected and what was found, where the file is not that.
    pub fn judge(self, file: &File) -> io::Result<Result<(), (&'static str, String)>> {
        let length = file.metadata()?.len();
        let mut start = vec![];
        from_start(file)?.take(START as u64).read_to_end(&mut start)?;
        let expected = match self {
            Content::Anything => return Ok(Ok(())),
            Content::Safetensors => "weights as safetensors",
            Content::Json => "JSON",
        };
        let is_so = match self {
            _ if length == 0 || length > self.most() => false,
            Content::Json => {
                serde_json::from_reader::<_, serde_json::Value>(io::BufReader::new(from_start(file)?)).is_ok()
            }
            _ => is_safetensors(file, length)?,
        };
        Ok(if is_so { Ok(()) } else { Err((expected, found(&start, length))) })
    }
}

fn from_start(mut file: &File) -> io::Result<&File> {
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn is_safetensors(file: &File, length: u64) -> io::Result<bool> {
    let mut prefix = [0; PREFIX as usize];
    if length < PREFIX {
        return Ok(false);
    }
    let mut from = from_start(file)?;
    from.read_exact(&mut prefix)?;
    let header = u64::from_le_bytes(prefix);
    if header > HEADER.min(length - PREFIX) {
        return Ok(false);
    }
    let mut text = vec![0; header as usize];
    from.read_exact(&mut text)?;
    let parsed: Result<Metadata, _> = serde_json::from_slice(&text);
    Ok(parsed.is_ok_and(|metadata| PREFIX + header + metadata.data_len() as u64 == length))
}

fn found(start: &[u8], length: u64) -> String {
    let text = start.trim_ascii_start();
    if length == 0 {
        return "an empty file".into();
    }
    let kind = match text.first() {
        Some(b'<') => "a web page",
        _ if text.starts_with(b"version https:/") => "a Git LFS pointer",
        Some(b'{') => "JSON, or a file cut short",
        _ => "something else, or a file cut short",
    };
    format!("{kind} ({length} bytes)")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn judged(content: Content, bytes: &[u8]) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        content.judge(&file).unwrap().map_err(|(_, found)| found)
    }

    #[test]
    fn a_login_page_and_nothing_are_no_weights() {
        let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let whole = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
        assert_eq!(judged(Content::Safetensors, &whole), Ok(()));
        assert!(judged(Content::Safetensors, &whole[..whole.len() - 1]).is_err());
        assert!(judged(Content::Safetensors, &[&whole[..], &[0]].concat()).is_err());
        assert!(
            judged(Content::Safetensors, b"<!DOCTYPE html><html>log in").unwrap_err().contains("a web page")
        );
        assert!(judged(Content::Safetensors, b"").unwrap_err().contains("empty"));
        assert_eq!(judged(Content::Json, b"{\"a\": 1}"), Ok(()));
        assert!(judged(Content::Json, b" <html>").unwrap_err().contains("a web page"));
        assert_eq!(judged(Content::Anything, b""), Ok(()));
    }
}
