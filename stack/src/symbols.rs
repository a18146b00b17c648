//! What is at an instruction pointer.

use std::ffi::c_void;
use std::path::PathBuf;
use std::ptr;

/// A function at an instruction pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// Its name in the debug information, which may be the last part of its path alone, with generic
    /// arguments.
    pub name: Option<String>,
    /// Its path in the symbol table, without generic arguments and without the compiler's hash. An inlined
    /// function has none.
    pub whole_name: Option<String>,
    /// The source file, as the compiler was given it.
    pub file: Option<PathBuf>,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// Calls `see` with each function at a return address: inlined ones first, the innermost first.
///
/// Takes a lock, allocates, and reads the debug information of the program: seconds the first time in a
/// large one, microseconds later. Never call it on a thread that polls.
pub fn resolve(ip: usize, mut see: impl FnMut(Symbol)) {
    let mut symbols = Vec::new();
    backtrace::resolve(ptr::without_provenance_mut::<c_void>(ip), |symbol| {
        symbols.push(Symbol {
            // `{:#}` leaves the hash out.
            name: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(PathBuf::from),
            line: symbol.lineno(),
            whole_name: None,
        });
    });
    // The last is the function itself, of which the symbol table may know more. A return address lies behind
    // the call.
    if let Some(whole) = whole_name(ip.wrapping_sub(1)) {
        match symbols.last_mut() {
            Some(last) => last.whole_name = Some(whole),
            None => symbols.push(Symbol { whole_name: Some(whole), ..Symbol::default() }),
        }
    }
    symbols.into_iter().for_each(&mut see);
}

#[cfg(target_os = "linux")]
fn whole_name(address: usize) -> Option<String> {
    crate::table::name_at(address)
}

#[cfg(not(target_os = "linux"))]
fn whole_name(_: usize) -> Option<String> {
    None
}

/// The file that an address was loaded from, and the offset in it, for a stack without symbols:
/// `shop+0x1f2c`.
///
/// Known on Linux; elsewhere `None`.
pub fn module_of(ip: usize) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut first: Option<(&str, usize)> = None;
    for line in maps.lines() {
        let mut parts = line.split_ascii_whitespace();
        let (from, to) = parts.next()?.split_once('-')?;
        let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
        let offset = parts.nth(1);
        let Some(path) = parts.nth(2) else { continue };
        // The offset counts from where the file begins, not from the mapping of its code. The same file may
        // be mapped at other places for what reads it.
        if offset == Some("00000000") {
            first = Some((path, from));
        }
        if from <= ip && ip < to {
            let base = first.filter(|(known, _)| *known == path).map_or(from, |(_, base)| base);
            return Some(format!("{}+{:#x}", path.rsplit('/').next().unwrap_or(path), ip - base));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn an_address_has_its_module() {
        let module = module_of(an_address_has_its_module as fn() as usize).unwrap();
        assert!(module.starts_with("headcount_stack-") && module.contains("+0x"), "{module}");
        assert_eq!(module_of(1), None);
    }
}
