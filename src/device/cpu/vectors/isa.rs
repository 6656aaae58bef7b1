//! The instruction sets that the inner loops are compiled for.

use std::{fmt, str::FromStr};

#[cfg(target_arch = "aarch64")]
use fearless_simd::Neon;
#[cfg(target_arch = "x86_64")]
use fearless_simd::{Avx2, Avx512, Sse2};
use fearless_simd::{Fallback, Level};

/// An instruction set that this processor has.
///
/// AVX-512 and AVX2 give the same bits. SSE2 and scalar code round a product before it is added, and so give slightly other ones.
#[derive(Clone, Copy)]
pub struct Isa(pub(crate) Token);

/// The proof that the processor has it.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Sse2(Sse2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Scalar(Fallback),
}

impl Isa {
    /// The names that [`Isa::from_str`] knows on this kind of processor, widest first.
    pub const NAMES: &[&str] = &[
        #[cfg(target_arch = "x86_64")]
        "avx512",
        #[cfg(target_arch = "x86_64")]
        "avx2",
        #[cfg(target_arch = "x86_64")]
        "sse2",
        #[cfg(target_arch = "aarch64")]
        "neon",
        "scalar",
    ];

    /// Those that this processor has, widest first; scalar code always.
    pub fn available() -> Vec<Isa> {
        let level = Level::new();
        let tokens = [
            #[cfg(target_arch = "x86_64")]
            level.as_avx512().map(Token::Avx512),
            #[cfg(target_arch = "x86_64")]
            level.as_avx2().map(Token::Avx2),
            #[cfg(target_arch = "x86_64")]
            level.as_sse2().map(Token::Sse2),
            #[cfg(target_arch = "aarch64")]
            level.as_neon().map(Token::Neon),
            Some(Token::Scalar(Fallback::new())),
        ];
        tokens.into_iter().flatten().map(Isa).collect()
    }

    /// The widest that this processor has.
    pub fn widest() -> Isa {
        Isa::available()[0]
    }

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Token::Sse2(_) => "sse2",
            #[cfg(target_arch = "aarch64")]
            Token::Neon(_) => "neon",
            Token::Scalar(_) => "scalar",
        }
    }

    /// Bits of a vector register; of one number in scalar code.
    pub fn bits(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => 512,
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => 256,
            #[cfg(target_arch = "x86_64")]
            Token::Sse2(_) => 128,
            #[cfg(target_arch = "aarch64")]
            Token::Neon(_) => 128,
            Token::Scalar(_) => 32,
        }
    }

    /// This one, or AVX2, which gives the same bits, where AVX-512's vectors have more numbers than that.
    pub(crate) fn fitting<R>(self, numbers: usize) -> Isa {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(simd) if self.bits() > 8 * size_of::<R>() * numbers => {
                Isa(Token::Avx2(Level::Avx512(simd).as_avx2().expect("part of AVX-512")))
            }
            _ => self,
        }
    }

    /// Whether a product is added without being rounded first.
    pub fn fuses(self) -> bool {
        self.bits() > 128 || cfg!(target_arch = "aarch64") && self.bits() == 128
    }
}

impl Default for Isa {
    /// [`Isa::widest`]
    fn default() -> Self {
        Isa::widest()
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Isa {}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a name is no instruction set of this processor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// The user gave a name that no instruction set has.
    #[error("expected one of auto, {}, found '{found}'", Isa::NAMES.join(", "))]
    Unknown {
        /// That name.
        found: String,
    },
    /// The user asked for an instruction set that this processor lacks.
    #[error("this processor has no {asked}{note}; it has {}", .has.join(", "))]
    Missing {
        /// Its name.
        asked: String,
        /// What of it is missing; may be empty.
        note: &'static str,
        /// Those that there are.
        has: Vec<&'static str>,
    },
}

impl FromStr for Isa {
    type Err = IsaError;

    /// `auto` is the widest.
    fn from_str(name: &str) -> Result<Isa, IsaError> {
        let available = Isa::available();
        if name == "auto" {
            return Ok(available[0]);
        }
        match available.iter().find(|isa| isa.name() == name) {
            Some(&isa) => Ok(isa),
            None if Isa::NAMES.contains(&name) => Err(IsaError::Missing {
                asked: name.to_owned(),
                // Earlier ones slow their clock down for it.
                note: if name == "avx512" { " of Ice Lake's or Zen 4's kind" } else { "" },
                has: available.iter().map(|isa| isa.name()).collect(),
            }),
            None => Err(IsaError::Unknown { found: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_refused() {
        let available = Isa::available();
        assert_eq!("auto".parse::<Isa>().unwrap(), available[0]);
        assert_eq!(available.last().unwrap().name(), "scalar");
        for isa in &available {
            assert_eq!(isa.name().parse::<Isa>().unwrap(), *isa);
            assert!(Isa::NAMES.contains(&isa.name()));
        }
        for name in Isa::NAMES.iter().filter(|name| available.iter().all(|isa| isa.name() != **name)) {
            let error = name.parse::<Isa>().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("it has") && error.contains("scalar"), "{error}");
        }
        let error = "mmx".parse::<Isa>().unwrap_err().to_string();
        assert!(error.starts_with("expected one of auto, ") && error.ends_with("found 'mmx'"), "{error}");
    }
}
