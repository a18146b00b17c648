//! Locations in code, short enough to read: a dependency's without the directories of the machine it was
//! compiled on.

use std::panic::Location;

/// Directories of a package that hold code.
const ROOTS: [&str; 4] = ["src", "tests", "examples", "benches"];

/// `src/mail.rs:28`; of a dependency `bb8-0.9.1/src/inner.rs:28`.
pub fn location(location: &Location<'_>) -> String {
    format!("{}:{}", file(location.file()), location.line())
}

/// A relative path as it is, an absolute one from the package's directory on.
pub fn file(path: &str) -> String {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let absolute = parts[0].is_empty() || parts[0].ends_with(':');
    let root = |from: &[&str]| from.iter().rposition(|part| ROOTS.contains(part));
    // The first root behind the registry's or checkout's directory, since a package may have a `src` within
    // its `src`.
    let checkout = parts.iter().position(|part| *part == "registry" || *part == "checkouts");
    let package = match checkout {
        Some(at) if parts[at] == "registry" => Some(at + 3),
        Some(at) => return checked_out(&parts[at + 1..]),
        None => root(&parts[..parts.len() - 1]).map(|at| at.saturating_sub(1)),
    };
    match package {
        Some(package) if absolute && package < parts.len() => parts[package..].join("/"),
        _ => path.to_owned(),
    }
}

/// `tokio-0123456789abcdef/89abcde/tokio/src/lib.rs` of a git checkout, without hash and commit.
fn checked_out(parts: &[&str]) -> String {
    let [directory, _, rest @ ..] = parts else { return parts.join("/") };
    let name = directory.rsplit_once('-').map_or(*directory, |(name, _)| name);
    let inside = if rest.first() == Some(&name) { &rest[1..] } else { rest };
    std::iter::once(name).chain(inside.iter().copied()).collect::<Vec<_>>().join("/")
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn locations_begin_with_the_package() {
        let cases = [
            ("src/main.rs", "src/main.rs"),
            ("crates/mail/src/lib.rs", "crates/mail/src/lib.rs"),
            (r"src\mail\mod.rs", r"src\mail\mod.rs"),
            (
                "/home/me/.cargo/registry/src/registry-1949cf8c6b5b557f/bb8-0.9.1/src/inner.rs",
                "bb8-0.9.1/src/inner.rs",
            ),
            (
                r"C:\Users\x\.cargo\registry\src\registry-1949\bb8-0.9.1\src\inner.rs",
                "bb8-0.9.1/src/inner.rs",
            ),
            ("/cargo/registry/src/registry-1949/odd-1.0.0/lib/src/src/a.rs", "odd-1.0.0/lib/src/src/a.rs"),
            (
                "/home/me/.cargo/git/checkouts/tokio-0a1b2c3d4e5f6071/89abcde/tokio/src/lib.rs",
                "tokio/src/lib.rs",
            ),
            ("/home/me/.cargo/git/checkouts/h2-0a1b2c3d4e5f6071/89abcde/src/lib.rs", "h2/src/lib.rs"),
            ("/home/me/shop/crates/mail/src/lib.rs", "mail/src/lib.rs"),
            ("/home/me/shop/tests/it.rs", "shop/tests/it.rs"),
            ("/rustc/0123/library/core/src/future/mod.rs", "core/src/future/mod.rs"),
            (
                "/build/shop/target/debug/build/api-1/out/api.rs",
                "/build/shop/target/debug/build/api-1/out/api.rs",
            ),
            ("", ""),
        ];
        for (path, expected) in cases {
            assert_eq!(file(path), expected, "{path}");
        }
    }
}
