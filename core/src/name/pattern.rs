//! Patterns of names, as settings have them.

/// Whether a pattern with `*` for any text fits the whole name.
///
/// Each text between two stars is taken where it comes first, which leaves most to the others: nothing is
/// tried twice.
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(name) = name.strip_prefix(head).and_then(|name| name.strip_suffix(tail)) else { return false };
    let mut between = middle.split('*');
    between.try_fold(name, |name, text| name.find(text).map(|at| &name[at + text.len()..])).is_some()
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_whole_names() {
        assert!(fits("shop::cache::*", "shop::cache::refresh"));
        assert!(fits("*", ""));
        assert!(fits("a*c*e", "abcde"));
        assert!(!fits("a*c", "abcd"));
        assert!(!fits("shop", "shop::x"));
        assert!(fits("a**e", "ae"));
        assert!(fits("*b*", "abc"));
        assert!(!fits("ab*ba", "aba"), "what begins the name does not end it too");
        assert!(!fits("*bc*cd*", "abcd"));
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!fits("*a*a*a*a*a*a*a*a*a*a*b", &"a".repeat(128)));
    }
}
