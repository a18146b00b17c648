//! The symbol table of the program itself.
//!
//! Line tables name a function by its last part alone, as `{async_fn#0}`. The symbol table has the whole path
//! of each function that the compiler has not inlined.

use std::fs::File;
use std::sync::OnceLock;

use object::{Object, ObjectSegment, ObjectSymbol, ReadCache, SymbolKind};

struct Table {
    /// Where the program was loaded, less where its file says.
    bias: u64,
    /// First address, length, and the name's place in `names`; in order.
    functions: Vec<(u64, u64, u32, u32)>,
    names: Vec<u8>,
}

/// The whole name of the function at an address, if the program has a symbol table.
pub(crate) fn name_at(address: usize) -> Option<String> {
    static TABLE: OnceLock<Option<Table>> = OnceLock::new();
    let table = TABLE.get_or_init(read).as_ref()?;
    let address = (address as u64).checked_sub(table.bias)?;
    let after = table.functions.partition_point(|(first, ..)| *first <= address);
    let (first, length, at, size) = *table.functions.get(after.checked_sub(1)?)?;
    if first + length.max(1) <= address {
        return None;
    }
    let name = table.names.get(at as usize..at as usize + size as usize)?;
    Some(format!("{:#}", backtrace::SymbolName::new(name)))
}

fn read() -> Option<Table> {
    let cache = ReadCache::new(File::open("/proc/self/exe").ok()?);
    let file = object::File::parse(&cache).ok()?;
    let (mut functions, mut names) = (Vec::new(), Vec::new());
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
    {
        let Ok(name) = symbol.name_bytes() else { continue };
        let (Ok(at), Ok(size)) = (u32::try_from(names.len()), u32::try_from(name.len())) else { break };
        names.extend_from_slice(name);
        functions.push((symbol.address(), symbol.size(), at, size));
    }
    functions.sort_unstable_by_key(|(first, ..)| *first);
    Some(Table { bias: loaded_at()?.checked_sub(first_address(&file)?)?, functions, names })
}

/// The address that the file gives its first byte.
pub(crate) fn first_address<'a>(file: &object::File<'a, &'a ReadCache<File>>) -> Option<u64> {
    let first = file.segments().find(|segment| segment.file_range().0 == 0)?;
    Some(first.address())
}

/// The address of the program's first byte in this process.
fn loaded_at() -> Option<u64> {
    let program = std::fs::read_link("/proc/self/exe").ok()?;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| {
        let mut parts = line.split_ascii_whitespace();
        let is_first = parts.nth(2) == Some("00000000");
        is_first && line.ends_with(&*program.to_string_lossy())
    })?;
    u64::from_str_radix(line.split_once('-')?.0, 16).ok()
}
