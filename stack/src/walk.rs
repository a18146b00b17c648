//! The stack of another thread that sleeps in a system call, without stopping it and without its registers.
//!
//! Linux says where such a thread's stack pointer is and where it goes on. The rest is in its stack, as the
//! unwind tables describe it. All is read through files of `/proc/self`, so a thread that goes on meanwhile
//! makes nonsense at worst. The caller finds out that it went on, and drops that.
//!
//! A function that keeps a frame pointer has it in a register that the system does not show. The slot that it
//! points at is found by what lies there: the address behind a call of that very function.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, NativeEndian, Register, RegisterRule,
    UnwindContext, UnwindSection, X86_64,
};
use object::{Object, ObjectSection, ReadCache};

use crate::buffer::MOST_FRAMES;
use crate::table::first_address;

type Slice<'a> = EndianSlice<'a, NativeEndian>;

/// Bytes of a stack that are read.
const MOST_BYTES: u64 = 1 << 20;
/// Bytes above the stack pointer in which a frame pointer is looked for.
const LARGEST_FRAME: u64 = 1 << 18;
/// A word, and how far the places of a frame are apart.
const WORD: u64 = 8;

/// Walks stacks of this process's threads.
#[derive(Debug)]
pub struct Walker {
    memory: File,
    maps: Vec<Map>,
    /// By where they were loaded.
    modules: Vec<(u64, Option<Module>)>,
}

/// A mapping of the process.
#[derive(Debug)]
struct Map {
    addresses: Range<u64>,
    is_code: bool,
    /// Whether the file's first byte is there.
    is_first: bool,
    path: Option<PathBuf>,
}

/// The unwind tables of a program or library.
#[derive(Debug)]
struct Module {
    /// Where it was loaded, less where its file says.
    bias: u64,
    frames: (u64, Vec<u8>),
    header: (u64, Vec<u8>),
}

/// What is known of a frame.
#[derive(Clone, Copy, Debug)]
struct Registers {
    ip: u64,
    sp: u64,
    /// The frame pointer's register, where it is known.
    bp: Option<u64>,
}

/// How a function's caller is found.
struct Row {
    function: u64,
    cfa: CfaRule<usize>,
    bp: RegisterRule<usize>,
}

impl Walker {
    /// Reads which code is where.
    pub fn new() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/maps").ok()?;
        let maps = text.lines().filter_map(Map::parse).collect();
        Some(Self { memory: File::open("/proc/self/mem").ok()?, maps, modules: Vec::new() })
    }

    /// The addresses of a thread that sleeps in a system call, the innermost first, from its stack pointer
    /// and the address at which it goes on: as far as the tables lead.
    pub fn walk(&mut self, sp: u64, ip: u64) -> Vec<usize> {
        let mut addresses = Vec::new();
        let Some(stack) = self.stack(sp) else { return addresses };
        let mut at = Registers { ip, sp, bp: None };
        while addresses.len() < MOST_FRAMES {
            addresses.extend(usize::try_from(at.ip));
            match self.outer(&stack, at) {
                // A caller lies above what it calls.
                Some(outer) if at.sp < outer.sp && outer.ip != 0 => at = outer,
                _ => break,
            }
        }
        addresses
    }

    /// What lies above this stack pointer.
    fn stack(&self, sp: u64) -> Option<Stack> {
        let end = self.map(sp)?.addresses.end;
        let mut bytes = vec![0; usize::try_from((end - sp).min(MOST_BYTES)).ok()?];
        let read = self.memory.read_at(&mut bytes, sp).ok()?;
        bytes.truncate(read);
        Some(Stack { first: sp, bytes })
    }

    fn map(&self, address: u64) -> Option<&Map> {
        // They are in order.
        let after = self.maps.partition_point(|map| map.addresses.start <= address);
        self.maps.get(after.checked_sub(1)?).filter(|map| address < map.addresses.end)
    }

    fn outer(&mut self, stack: &Stack, at: Registers) -> Option<Registers> {
        let row = self.row(at.ip)?;
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa else { return None };
        let base = match register {
            X86_64::RSP => at.sp,
            X86_64::RBP => at.bp.or_else(|| self.frame_pointer(stack, at.sp, row.function))?,
            _ => return None,
        };
        let cfa = base.checked_add_signed(offset)?;
        let bp = match row.bp {
            RegisterRule::Offset(offset) => stack.word(cfa.checked_add_signed(offset)?),
            RegisterRule::Undefined | RegisterRule::SameValue => at.bp,
            _ => None,
        };
        Some(Registers { ip: stack.word(cfa - WORD)?, sp: cfa, bp })
    }

    /// The slot of a frame pointer of this function, whose frame lies above `sp`: before the address to which
    /// it returns, which lies behind a call of it.
    fn frame_pointer(&self, stack: &Stack, sp: u64, function: u64) -> Option<u64> {
        let slots = || (sp..sp + LARGEST_FRAME).step_by(8);
        let called = |slot: &u64, is_call: &dyn Fn(u64, &[u8; 7]) -> bool| {
            let back = stack.word(slot + WORD)?;
            self.map(back).filter(|map| map.is_code)?;
            let mut code = [0; 7];
            self.memory.read_exact_at(&mut code, back - 7).ok()?;
            is_call(back, &code).then_some(*slot)
        };
        let direct = |back: u64, code: &[u8; 7]| {
            let distance = i32::from_ne_bytes([code[3], code[4], code[5], code[6]]);
            code[2] == 0xe8 && back.checked_add_signed(distance.into()) == Some(function)
        };
        // Through a register or a table: any call may be it, if the former frame pointer lies above.
        let indirect = |_: u64, code: &[u8; 7]| {
            let is_call = |modrm: u8| modrm & 0x38 == 0x10;
            (code[5] == 0xff && is_call(code[6]))
                || (code[4] == 0xff && is_call(code[5]))
                || (code[1] == 0xff && is_call(code[2]))
        };
        let is_frame = |slot: &u64| {
            stack.word(*slot).is_some_and(|former| *slot < former && former < stack.first + MOST_BYTES)
        };
        slots()
            .find_map(|slot| called(&slot, &direct))
            .or_else(|| slots().filter(is_frame).find_map(|slot| called(&slot, &indirect)))
    }

    /// What the tables say of the function at a return address.
    fn row(&mut self, ip: u64) -> Option<Row> {
        // It lies behind the call.
        let address = ip.checked_sub(1)?;
        let path = self.map(address).filter(|map| map.is_code)?.path.clone()?;
        // The same file may be mapped at other places for what reads it.
        let is_it =
            |map: &&Map| map.is_first && map.path.as_ref() == Some(&path) && map.addresses.start <= address;
        let first = self.maps.iter().rev().find(is_it)?.addresses.start;
        if !self.modules.iter().any(|(known, _)| *known == first) {
            self.modules.push((first, Module::read(&path, first)));
        }
        let module = self.modules.iter().find(|(known, _)| *known == first)?.1.as_ref()?;
        module.row(address.checked_sub(module.bias)?)
    }
}

impl Module {
    /// Of a file that was loaded at this address.
    fn read(path: &Path, first: u64) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let section = |name| {
            let section = file.section_by_name(name)?;
            Some((section.address(), section.data().ok()?.to_vec()))
        };
        let bias = first.checked_sub(first_address(&file)?)?;
        Some(Self { bias, frames: section(".eh_frame")?, header: section(".eh_frame_hdr")? })
    }

    fn row(&self, address: u64) -> Option<Row> {
        let bases = BaseAddresses::default().set_eh_frame(self.frames.0).set_eh_frame_hdr(self.header.0);
        let frames: EhFrame<Slice<'_>> = EhFrame::new(&self.frames.1, NativeEndian);
        let header = EhFrameHdr::new(&self.header.1, NativeEndian).parse(&bases, 8).ok()?;
        let entry =
            header.table()?.fde_for_address(&frames, &bases, address, EhFrame::cie_from_offset).ok()?;
        let mut context = UnwindContext::new();
        let row = entry.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
        // The callers of signal handlers and of what the compiler did not make are described in other ways.
        let back: Register = X86_64::RA;
        if !matches!(row.register(back), RegisterRule::Offset(-8)) {
            return None;
        }
        let function = entry.initial_address().checked_add(self.bias)?;
        Some(Row { function, cfa: row.cfa().clone(), bp: row.register(X86_64::RBP) })
    }
}

impl Map {
    /// `7f… -7f… r-xp 00000000 08:01 17   /usr/lib/libc.so.6`.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(6, ' ');
        let (from, to) = parts.next()?.split_once('-')?;
        let addresses = u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?;
        let is_code = parts.next()?.as_bytes().get(2) == Some(&b'x');
        let is_first = parts.next()? == "00000000";
        let path = parts.nth(2).map(str::trim_start).filter(|path| path.starts_with('/')).map(PathBuf::from);
        Some(Self { addresses, is_code, is_first, path })
    }
}

/// The memory above a stack pointer, as it was read.
struct Stack {
    first: u64,
    bytes: Vec<u8>,
}

impl Stack {
    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.first)?).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// What `/proc` says of a thread that sleeps: its stack pointer and where it goes on.
    fn sleeping(thread: u32, call: &str) -> (u64, u64) {
        loop {
            let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).unwrap();
            let parts: Vec<&str> = text.split_ascii_whitespace().collect();
            if parts[0] == call {
                let number = |at: usize| u64::from_str_radix(parts[at].trim_start_matches("0x"), 16).unwrap();
                return (number(parts.len() - 2), number(parts.len() - 1));
            }
            std::thread::yield_now();
        }
    }

    #[inline(never)]
    fn reads_for_ever(from: &std::os::unix::net::UnixStream) -> usize {
        let read = std::io::Read::read(&mut &*from, &mut [0; 8]);
        std::hint::black_box(read.unwrap_or(0)) + 1
    }

    #[inline(never)]
    fn opens_for_ever(path: &Path) -> usize {
        std::hint::black_box(std::fs::read(path).map_or(0, |bytes| bytes.len())) + 1
    }

    fn names_of(call: &str, work: impl FnOnce() + Send + 'static) -> Vec<String> {
        let (send, id) = channel();
        std::thread::spawn(move || {
            let link = std::fs::read_link("/proc/thread-self").unwrap();
            send.send(link.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap()).unwrap();
            work();
        });
        let (sp, ip) = sleeping(id.recv().unwrap(), call);
        let mut names = Vec::new();
        for ip in Walker::new().unwrap().walk(sp, ip) {
            crate::resolve(ip, |symbol| names.push(symbol.whole_name.or(symbol.name).unwrap_or_default()));
        }
        names
    }

    #[test]
    fn a_thread_in_a_call_has_its_stack() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let recvfrom = "45";
        let names = names_of(recvfrom, move || assert!(0 < reads_for_ever(&ours)));
        let place = |part: &str| names.iter().position(|name| name.contains(part));
        assert!(
            place("reads_for_ever").is_some() && place("reads_for_ever") < place("names_of"),
            "{names:#?}"
        );
        // To where the thread began.
        assert!(place("thread").is_some(), "{names:#?}");
        drop(theirs);
    }

    #[test]
    fn functions_that_keep_a_frame_pointer_are_walked_through() {
        let path = std::env::temp_dir().join(format!("headcount-walk-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let openat = "257";
        let opened = path.clone();
        let names = names_of(openat, move || assert!(0 < opens_for_ever(&opened)));
        drop(std::fs::OpenOptions::new().write(true).open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let place = |part: &str| names.iter().position(|name| name.contains(part));
        assert!(
            place("opens_for_ever").is_some() && place("opens_for_ever") < place("names_of"),
            "{names:#?}"
        );
    }

    #[test]
    fn what_is_no_stack_has_no_frames() {
        let mut walker = Walker::new().unwrap();
        assert_eq!(walker.walk(8, 8), []);
        let here = std::ptr::from_ref(&walker).addr() as u64;
        assert_eq!(walker.walk(here & !7, 1), [1]);
    }
}
