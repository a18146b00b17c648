//! The project's documents, as they are in the repository. Their code is tested.

#[doc = include_str!("../docs/ADOPTING.md")]
pub mod adopting {}

#[doc = include_str!("../docs/ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("../docs/DESIGN.md")]
pub mod design {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
