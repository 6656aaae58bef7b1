//! `.npz` files as NumPy and Flower write them: what is in them, which tensor each array is, and all that can
//! be wrong with one.

mod archives;
mod arrays;
mod damage;
mod positions;
pub(crate) mod support;
