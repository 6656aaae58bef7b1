//! CLIP on the engine against `transformers` and `open_clip`, its tokeniser and its preprocessing against theirs, and
//! what a file that is no CLIP is told. Figures of `tests/fixtures/make_clip.py`.

mod bank;
mod encoders;
mod files;
mod resize;
mod tokens;
mod wrong_configs;
mod wrong_files;
mod zero_shot;
