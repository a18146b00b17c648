//! Blocks of one function, told apart by where they are spawned.

use std::collections::HashMap;
use std::panic::Location;

use super::CodeName;

/// The locations at which the blocks of each function were spawned, in the order of their first spawn.
#[derive(Debug, Default)]
pub struct Blocks {
    seen: HashMap<String, Vec<&'static Location<'static>>>,
}

impl Blocks {
    /// The name of a block spawned there: `app::send::{1}` for the first block of `app::send`. All other
    /// code keeps its path.
    pub fn name(&mut self, code: &CodeName, location: &'static Location<'static>) -> String {
        if !code.block {
            return code.path.clone();
        }
        let seen = self.seen.entry(code.path.clone()).or_default();
        let ordinal = seen.iter().position(|known| *known == location).unwrap_or_else(|| {
            seen.push(location);
            seen.len() - 1
        });
        format!("{}::{{{}}}", code.path, ordinal + 1)
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_numbered_by_place_and_bodies_are_not() {
        let block = |path: &str| CodeName { path: path.to_owned(), block: true };
        let [first, second] = [Location::caller(), here()];
        let mut blocks = Blocks::default();
        assert_eq!(blocks.name(&block("app::send"), first), "app::send::{1}");
        assert_eq!(blocks.name(&block("app::send"), second), "app::send::{2}");
        assert_eq!(blocks.name(&block("app::read"), second), "app::read::{1}");
        assert_eq!(blocks.name(&block("app::send"), first), "app::send::{1}");
        let body = CodeName { path: "app::send".to_owned(), block: false };
        assert_eq!(blocks.name(&body, second), "app::send");
    }

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }
}
