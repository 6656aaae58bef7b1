//! The header of an `.npy` array: a Python dictionary with its type, its order and its shape.
//!
//! A small parser of its own, because the crates for this format hand the text to a parser of all Python
//! literals, which recurses as deep as the text says and panics on some sums.

use std::io::Read;

use safetensors::Dtype;

use super::MemberError;

const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy's own limit.
const LIMIT: u64 = 10_000;

/// Longest description of a type in a message.
const SHOWN: usize = 60;

#[derive(Debug)]
pub(super) struct Header {
    pub dtype: Dtype,
    pub big_endian: bool,
    /// The first axis varies fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// The product of `shape`.
    pub elements: usize,
    /// Bytes of header and data together.
    pub total: u64,
}

impl Header {
    /// Leaves `from` at the first byte of data.
    pub(crate) fn read(from: &mut impl Read) -> Result<Header, MemberError> {
        let content = |cause: std::io::Error| super::content(&cause);
        let mut start = Vec::new();
        from.take(MAGIC.len() as u64 + 2).read_to_end(&mut start).map_err(content)?;
        let version = start.strip_prefix(MAGIC).unwrap_or_default();
        let length_bytes: u64 = match version {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            _ => return Err(MemberError::Magic { found: start }),
        };
        let mut length = [0; 8];
        from.read_exact(&mut length[..length_bytes as usize]).map_err(content)?;
        let length = u64::from_le_bytes(length);
        if length > LIMIT {
            return Err(MemberError::HeaderLength { found: length, limit: LIMIT });
        }
        let mut text = vec![0; length as usize];
        from.read_exact(&mut text).map_err(content)?;
        Header::parse(&String::from_utf8_lossy(&text), start.len() as u64 + length_bytes + length)
    }

    /// `before`: bytes before the data.
    fn parse(text: &str, before: u64) -> Result<Header, MemberError> {
        let mut text = Text { rest: text };
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        text.expect("{")?;
        while !text.take("}") {
            let key = text.string()?;
            text.expect(":")?;
            let new = match key {
                "descr" => dtype.replace(text.dtype()?).is_none(),
                "fortran_order" => fortran.replace(text.boolean()?).is_none(),
                "shape" => shape.replace(text.shape()?).is_none(),
                _ => return Err(invalid(format!("unknown key '{}'", shown(key)))),
            };
            if !new {
                return Err(invalid(format!("'{key}' is there twice")));
            }
            if !text.take(",") {
                text.expect("}")?;
                break;
            }
        }
        if !text.rest.trim_start().is_empty() {
            return Err(invalid(format!("expected its end, found '{}'", shown(text.rest))));
        }
        let missing = |key| move || invalid(format!("'{key}' is missing"));
        let (dtype, big_endian) = dtype.ok_or_else(missing("descr"))?;
        let shape: Vec<usize> = shape.ok_or_else(missing("shape"))?;
        let fortran = fortran.ok_or_else(missing("fortran_order"))?;

        let width = dtype.bitsize() / 8;
        let elements = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let bytes = elements.and_then(|n| (n as u64).checked_mul(width as u64)?.checked_add(before));
        match (elements, bytes) {
            (Some(elements), Some(total)) => {
                Ok(Header { dtype, big_endian, fortran, shape, elements, total })
            }
            _ => Err(MemberError::Elements { shape }),
        }
    }
}

fn invalid(cause: String) -> MemberError {
    MemberError::Header { cause }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// What is left of a header's text. Spaces between tokens mean nothing.
struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), MemberError> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(&format!("'{token}'"))) }
    }

    fn unexpected(&self, expected: &str) -> MemberError {
        invalid(format!("expected {expected}, found '{}'", shown(self.rest)))
    }

    /// Neither keys nor types have escapes in them.
    fn string(&mut self) -> Result<&'a str, MemberError> {
        let quote = ["'", "\""].into_iter().find(|quote| self.take(quote));
        match quote.and_then(|quote| self.rest.split_once(quote)) {
            Some((string, rest)) => {
                self.rest = rest;
                Ok(string)
            }
            None => Err(self.unexpected("a string")),
        }
    }

    fn boolean(&mut self) -> Result<bool, MemberError> {
        match (self.take("True"), self.take("False")) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(self.unexpected("True or False")),
        }
    }

    fn shape(&mut self) -> Result<Vec<usize>, MemberError> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            let text = self.rest.trim_start();
            let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
            shape.push(digits.parse().map_err(|_| self.unexpected("a size"))?);
            // Python 2 wrote long integers as 3L.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }

    /// The type, and whether it is big-endian.
    fn dtype(&mut self) -> Result<(Dtype, bool), MemberError> {
        let of_type = |found: &str, meaning| MemberError::Type { found: shown(found), meaning };
        let text = self.rest.trim_start();
        if text.starts_with('[') {
            let end = text.rfind(']').map_or(text.len(), |last| last + 1);
            return Err(of_type(&text[..end], " (a structure)"));
        }
        let name = self.string()?;
        let (order, kind) = match name.chars().next() {
            Some(order @ ('<' | '>' | '|')) => (order, &name[1..]),
            _ => return Err(of_type(name, "")),
        };
        let dtype = match kind {
            "f2" => Dtype::F16,
            "f4" => Dtype::F32,
            "f8" => Dtype::F64,
            "b1" => Dtype::BOOL,
            "i1" => Dtype::I8,
            "i2" => Dtype::I16,
            "i4" => Dtype::I32,
            "i8" => Dtype::I64,
            "u1" => Dtype::U8,
            "u2" => Dtype::U16,
            "u4" => Dtype::U32,
            "u8" => Dtype::U64,
            _ => return Err(of_type(name, meaning(kind))),
        };
        if order == '|' && dtype.bitsize() > 8 {
            return Err(of_type(name, " without a byte order"));
        }
        Ok((dtype, order == '>'))
    }
}

fn meaning(kind: &str) -> &'static str {
    match kind.chars().next() {
        Some('O') => " (pickled Python objects: save each tensor as an array of its own)",
        Some('S' | 'a' | 'U' | 'T') => " (text)",
        Some('c') => " (complex numbers)",
        Some('f') => " (long floats)",
        Some('m' | 'M') => " (times)",
        // What ml_dtypes' bfloat16 becomes on disk.
        Some('V') => " (raw bytes, as of bfloat16: save it as float32)",
        _ => "",
    }
}
