//! Replacements at byte offsets, and the diff that they make.

use std::fmt::Write as _;
use std::ops::Range;

/// Replaces bytes by a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
    /// Of insertions at one offset the lower comes first: what closes an inner call, then an outer one, then
    /// what opens.
    rank: isize,
}

impl Edit {
    pub(crate) fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into(), rank: isize::MAX }
    }

    /// Inserts what belongs behind a call's argument; the call begins at `call`.
    pub(crate) fn close(at: usize, text: impl Into<String>, call: usize) -> Self {
        Self { range: at..at, text: text.into(), rank: -signed(call) - 1 }
    }

    /// Inserts what belongs before something; outer calls come first.
    pub(crate) fn open(at: usize, text: impl Into<String>, call: usize) -> Self {
        Self { range: at..at, text: text.into(), rank: signed(call) }
    }
}

fn signed(offset: usize) -> isize {
    isize::try_from(offset).unwrap_or(isize::MAX - 1)
}

/// Edits in the order in which they apply, if no two touch the same bytes.
pub(crate) fn ordered(mut edits: Vec<Edit>) -> Option<Vec<Edit>> {
    edits.sort_by_key(|edit| (edit.range.start, edit.rank, edit.range.end));
    edits.dedup();
    let apart = edits.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start);
    apart.then_some(edits)
}

/// The text after ordered edits.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut changed = String::with_capacity(text.len() + 64 * edits.len());
    let mut at = 0;
    for edit in edits {
        changed.push_str(&text[at..edit.range.start]);
        changed.push_str(&edit.text);
        at = edit.range.end;
    }
    changed.push_str(&text[at..]);
    changed
}

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The change of a file as a unified diff.
pub(crate) fn diff(name: &str, text: &str, edits: &[Edit]) -> String {
    let starts: Vec<usize> = text
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some(start)
        })
        .collect();
    let line_of = |offset: usize| starts.partition_point(|start| *start <= offset).saturating_sub(1);
    let mut out = format!("--- a/{name}\n+++ b/{name}\n");
    let mut shift = 0_isize;
    for hunk in hunks(edits, &line_of) {
        let (first, last) = (line_of(hunk[0].range.start), last_line(&hunk[hunk.len() - 1], &line_of));
        let begin = first.saturating_sub(CONTEXT);
        let end = (last + 1 + CONTEXT).min(starts.len());
        let mut body = String::new();
        let (mut old, mut new) = (0_usize, 0_usize);
        let mut line = begin;
        let mut rest = hunk;
        while line < end {
            let Some(edit) = rest.first().filter(|edit| line_of(edit.range.start) == line) else {
                push_lines(&mut body, ' ', slice(text, &starts, line..line + 1));
                (old, new, line) = (old + 1, new + 1, line + 1);
                continue;
            };
            // All edits that share lines with this one.
            let mut until = last_line(edit, &line_of);
            let mut count = 1;
            while let Some(next) = rest.get(count).filter(|next| line_of(next.range.start) <= until) {
                until = until.max(last_line(next, &line_of));
                count += 1;
            }
            let before = slice(text, &starts, line..until + 1);
            let offset = starts[line];
            let moved: Vec<Edit> = rest[..count]
                .iter()
                .map(|edit| Edit {
                    range: edit.range.start - offset..edit.range.end - offset,
                    ..edit.clone()
                })
                .collect();
            let after = apply(before, &moved);
            let (same, before, after, same_end) = apart(before, &after);
            for (mark, text) in [(' ', same), ('-', before), ('+', after), (' ', same_end)] {
                let lines = push_lines(&mut body, mark, text);
                old += if mark == '+' { 0 } else { lines };
                new += if mark == '-' { 0 } else { lines };
            }
            (rest, line) = (&rest[count..], until + 1);
        }
        let place = |line: usize, count: usize| if count == 0 { line } else { line + 1 };
        let _ = writeln!(
            out,
            "@@ -{},{old} +{},{new} @@",
            place(begin, old),
            place(begin.saturating_add_signed(shift), new)
        );
        out.push_str(&body);
        shift += signed(new) - signed(old);
    }
    out
}

/// Two texts without the lines that they begin and end with alike: those, what differs, those.
fn apart<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str, &'a str, &'a str) {
    let length = |alike: &mut dyn Iterator<Item = (&'a str, &'a str)>| {
        alike.take_while(|(before, after)| before == after).map(|(line, _)| line.len()).sum::<usize>()
    };
    let lines = |text: &'a str| text.split_inclusive('\n');
    let start = length(&mut lines(before).zip(lines(after)));
    let (old, new) = (&before[start..], &after[start..]);
    let end = length(&mut lines(old).rev().zip(lines(new).rev()));
    (&before[..start], &old[..old.len() - end], &new[..new.len() - end], &old[old.len() - end..])
}

fn last_line(edit: &Edit, line_of: &impl Fn(usize) -> usize) -> usize {
    // A range that ends with a line's end takes the next line with it in the text, but not in the diff.
    if edit.range.is_empty() { line_of(edit.range.start) } else { line_of(edit.range.end - 1) }
}

fn hunks<'a>(edits: &'a [Edit], line_of: &impl Fn(usize) -> usize) -> Vec<&'a [Edit]> {
    let near = |before: &Edit, next: &Edit| {
        line_of(next.range.start) <= last_line(before, line_of) + 2 * CONTEXT + 1
    };
    edits.chunk_by(near).collect()
}

fn slice<'a>(text: &'a str, starts: &[usize], lines: Range<usize>) -> &'a str {
    &text[starts[lines.start]..starts.get(lines.end).copied().unwrap_or(text.len())]
}

fn push_lines(out: &mut String, mark: char, text: &str) -> usize {
    let mut count = 0;
    for line in text.split_inclusive('\n') {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insertions_at_one_place_nest() {
        let text = "a(b(c))";
        let edits = ordered(vec![
            Edit::close(6, ", outer", 0),
            Edit::close(6, ", inner", 2),
            Edit::open(2, "x(", 0),
            Edit::open(2, "y(", 2),
        ]);
        assert_eq!(apply(text, &edits.expect("apart")), "a(x(y(b(c), inner, outer)");
    }

    #[test]
    fn edits_of_the_same_bytes_are_refused() {
        assert!(ordered(vec![Edit::replace(0..3, "x"), Edit::replace(2..4, "y")]).is_none());
    }

    #[test]
    fn a_diff_has_context_and_counts_lines() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\nend";
        let edits = ordered(vec![Edit::replace(8..10, ""), Edit::replace(text.len() - 3..text.len(), "END")]);
        let shown = diff("f.rs", text, &edits.expect("apart"));
        assert_eq!(
            shown,
            "--- a/f.rs\n+++ b/f.rs\n@@ -2,7 +2,6 @@\n 2\n 3\n 4\n-5\n 6\n 7\n 8\n@@ -15,4 +14,4 @@\n 15\n 16\n 17\n-end\n\
             \\ No newline at end of file\n+END\n\\ No newline at end of file\n"
        );
    }
}
