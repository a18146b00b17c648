//! What the system says of a thread that is inside a poll: the system call that it is in, or that it
//! computes.
//!
//! Read from `/proc` of the own process, as an ordinary user. Elsewhere than on Linux nothing is known.
//!
//! A thread that sleeps in a call has a stack that does not change: it is walked from outside, and believed
//! if the thread has not run meanwhile. One that computes shows neither its registers nor its stack.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tree::StackThread;
use crate::registry::TaskSlot;
use crate::registry::local::Current;
use crate::registry::slot::Reading;
use crate::snapshot::Kind;
use headcount_core::internal::snapshot::read;

/// How long the processor's time is measured.
const SAMPLE: Duration = Duration::from_millis(20);

/// How many futures that are tracked in place one inside another are followed outwards.
const MOST_LEVELS: usize = 8;

/// What holds a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The thread's state, as `ps` names it.
    state: Option<char>,
    doing: Doing,
    /// Where the thread is, the innermost frame first; empty where that is not known.
    pub(super) addresses: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    /// It is in this system call, on this file, peer or path.
    Call { name: String, object: Option<String> },
    /// It computes: so many percent of the time.
    Computes { percent: u64 },
    /// The system does not say.
    Unknown,
}

impl Held {
    /// `in fsync(2) of /var/lib/app/wal`, `on a processor 100 %`. `hides`: without files and peers.
    pub(super) fn text(&self, hides: bool) -> Option<String> {
        let doing = match &self.doing {
            Doing::Call { name, object: Some(object) } if !hides => {
                Some(format!("in {name} of {}", crate::name::escape(object)))
            }
            Doing::Call { name, .. } => Some(format!("in {name}")),
            Doing::Computes { percent } => Some(format!("on a processor {percent} %")),
            Doing::Unknown => None,
        };
        // What an operator asks of a thread that sleeps: whether the kernel lets go of it.
        let state = match self.state {
            Some('D') => "uninterruptible",
            Some('T' | 't') => "stopped",
            _ => return doing,
        };
        Some(doing.map_or_else(|| state.to_owned(), |doing| format!("{doing}, {state}")))
    }

    pub(super) fn thread(&self) -> StackThread {
        let (call, object, processor_percent) = match &self.doing {
            Doing::Call { name, object } => {
                let object = object.as_deref().map(|object| Arc::from(crate::name::escape(object)));
                (Some(Arc::from(&**name)), object, None)
            }
            Doing::Computes { percent } => (None, None, Some(*percent)),
            Doing::Unknown => (None, None, None),
        };
        StackThread { state_code: self.state, call, object, processor_percent }
    }
}

/// A thread at one moment, and what it was in then.
struct Thread {
    id: u32,
    state: Option<char>,
    /// What `/proc/…/syscall` says.
    call: Option<String>,
    /// How often it has given its processor away: the same as long as it sleeps.
    switches: Option<String>,
    doing: Option<Doing>,
}

impl Thread {
    fn read(id: u32) -> Self {
        let mut thread = Self { id, state: None, switches: switches(id), call: syscall(id), doing: None };
        thread.doing = thread.call.as_deref().filter(|call| !computes(call)).and_then(call_in);
        // What a pointer or a descriptor leads to is of the call only if the thread has slept since.
        // Otherwise it may be anything that the application has in its memory.
        let has_slept = thread.has_slept();
        if let Some(Doing::Call { object, .. }) = &mut thread.doing {
            *object = object.take().filter(|_| has_slept);
        }
        thread.state = state(id);
        thread
    }

    /// Whether it has been in its call all the time since it was read.
    fn has_slept(&self) -> bool {
        self.switches.is_some() && syscall(self.id) == self.call && switches(self.id) == self.switches
    }

    fn computes(&self) -> bool {
        self.call.as_deref().is_some_and(computes)
    }

    /// The stack of a thread that sleeps in a call, if it has slept all the while.
    fn stack(&self, walk: &mut impl FnMut(u64, u64) -> Vec<usize>) -> Vec<usize> {
        let Some((sp, ip)) = self.call.as_deref().and_then(pointers) else { return Vec::new() };
        let stack = walk(sp, ip);
        if self.has_slept() { stack } else { Vec::new() }
    }
}

/// What holds each of these tasks; `None` where that is not known. `walks`: with the stacks.
pub(super) fn look(tasks: &[Current], walks: bool) -> Vec<Option<Held>> {
    let mut threads: Vec<Option<Thread>> =
        threads_of(tasks).into_iter().map(|id| id.map(Thread::read)).collect();
    let has_pointers = |thread: &Thread| thread.call.as_deref().is_some_and(|call| pointers(call).is_some());
    let mut walk = walker(walks && threads.iter().flatten().any(has_pointers));
    let stacks: Vec<Vec<usize>> = threads
        .iter()
        .map(|thread| thread.as_ref().map_or_else(Vec::new, |thread| thread.stack(&mut walk)))
        .collect();
    measure(&mut threads);
    // A task that has gone on meanwhile is not held by what its thread does now.
    let is_there = |task: &Current| {
        task.slot.read().is_some_and(|now| now.id() == task.id && now.polling_since().is_some())
    };
    let held = |((task, thread), addresses): ((&Current, Option<Thread>), Vec<usize>)| {
        let Thread { state, doing, .. } = thread?;
        let is_known = doing.is_some() || state.is_some();
        let held = Held { state, doing: doing.unwrap_or(Doing::Unknown), addresses };
        (is_known && is_there(task)).then_some(held)
    };
    tasks.iter().zip(threads).zip(stacks).map(held).collect()
}

/// How much of a moment the threads that compute are on a processor.
fn measure(threads: &mut [Option<Thread>]) {
    let mut computing: Vec<&mut Thread> = threads.iter_mut().flatten().filter(|it| it.computes()).collect();
    if computing.is_empty() {
        return;
    }
    let began = Instant::now();
    let before: Vec<Option<u64>> = computing.iter().map(|thread| on_processor(thread.id)).collect();
    std::thread::sleep(SAMPLE);
    for (thread, before) in computing.iter_mut().zip(before) {
        let used = on_processor(thread.id).zip(before).map(|(now, before)| now.saturating_sub(before));
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        thread.doing = used.map(|used| Doing::Computes { percent: (100 * used / took).min(100) });
    }
}

/// The thread that polls each of these tasks, also where it polls another inside of it.
fn threads_of(tasks: &[Current]) -> Vec<Option<u32>> {
    let threads = headcount_core::internal::stacks::threads();
    let polls = threads.iter().filter(|thread| thread.address != 0 && thread.id != 0);
    let at: HashMap<usize, u32> = polls.map(|thread| (thread.address, thread.id)).collect();
    let directly = |task: &Current| at.get(&std::ptr::from_ref(task.slot).addr()).copied();
    let mut found: Vec<Option<u32>> = tasks.iter().map(directly).collect();
    if found.iter().all(Option::is_some) {
        return found;
    }
    // From the innermost task of each thread outwards, each level for all threads in one pass.
    let innermost = |(slot, task): (TaskSlot, Reading)| {
        let thread = at.get(&std::ptr::from_ref(slot).addr())?;
        Some((task.parent().filter(|_| is_in_place(&task))?, *thread))
    };
    let mut level: HashMap<u64, u32> = read::live().filter_map(innermost).collect();
    for _ in 0..MOST_LEVELS {
        if level.is_empty() {
            break;
        }
        for (task, found) in tasks.iter().zip(&mut found) {
            *found = found.or_else(|| level.get(&task.id).copied());
        }
        let outer = |(_, task): (TaskSlot, Reading)| {
            let thread = level.get(&task.id())?;
            Some((task.parent().filter(|_| is_in_place(&task))?, *thread))
        };
        level = read::live().filter_map(outer).collect();
    }
    found
}

fn is_in_place(task: &Reading) -> bool {
    matches!(task.kind(), Kind::Future | Kind::Request)
}

fn syscall(thread: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()
}

fn computes(call: &str) -> bool {
    call.starts_with("running")
}

/// Nanoseconds that a thread was on a processor.
fn on_processor(thread: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn switches(thread: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    Some(text.lines().filter(|line| line.contains("ctxt_switches")).collect())
}

/// The stack pointer and where it goes on, which stand at the end of what a thread in a call has.
fn pointers(call: &str) -> Option<(u64, u64)> {
    let mut parts = call.split_ascii_whitespace();
    let _number: i64 = parts.next()?.parse().ok()?;
    let mut last = parts.rev().map(|part| u64::from_str_radix(part.strip_prefix("0x")?, 16).ok());
    let (ip, sp) = (last.next()??, last.next()??);
    Some((sp, ip))
}

/// Walks stacks, where this processor's can be walked.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn walker(is_wanted: bool) -> impl FnMut(u64, u64) -> Vec<usize> {
    let mut walker = if is_wanted { headcount_stack::Walker::new() } else { None };
    move |sp, ip| walker.as_mut().map_or_else(Vec::new, |walker| walker.walk(sp, ip))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn walker(_: bool) -> impl FnMut(u64, u64) -> Vec<usize> {
    |_, _| Vec::new()
}

/// The third field of `/proc/…/stat`, behind a name that may hold anything.
fn state(thread: u32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

/// What `/proc/…/syscall` says: the number of the call and its arguments.
fn call_in(text: &str) -> Option<Doing> {
    let mut parts = text.split_ascii_whitespace();
    let number: i64 = parts.next()?.parse().ok()?;
    if number < 0 {
        // It waits, but in no call: for a page of memory.
        return Some(Doing::Call { name: "a page fault".to_owned(), object: None });
    }
    let arguments: Vec<u64> =
        parts.filter_map(|part| u64::from_str_radix(part.strip_prefix("0x")?, 16).ok()).collect();
    let known = CALLS.iter().find(|(known, ..)| *known == number);
    let Some((_, name, takes)) = known else {
        return Some(Doing::Call { name: format!("system call {number}"), object: None });
    };
    let argument = |at: usize| arguments.get(at).copied();
    let object = match takes {
        Takes::Nothing => None,
        Takes::File => argument(0).and_then(file),
        Takes::Path(at) => argument(*at).and_then(path),
    };
    Some(Doing::Call { name: (*name).to_owned(), object })
}

/// What is behind a descriptor.
fn file(descriptor: u64) -> Option<String> {
    let target = fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    let target = target.to_string_lossy().into_owned();
    let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) else {
        return Some(if target.starts_with("pipe:") { "a pipe".to_owned() } else { target });
    };
    let peers = [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")];
    let peer = peers.iter().find_map(|(table, kind)| Some(format!("{kind} {}", peer(table, inode)?)));
    Some(peer.or_else(|| unix_path(inode)).unwrap_or_else(|| "a socket".to_owned()))
}

/// The remote address of a socket in a table of `/proc/self/net`; of one that listens the local one.
fn peer(table: &str, inode: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/self/net/{table}")).ok()?;
    let line = text.lines().skip(1).find(|line| line.split_ascii_whitespace().nth(9) == Some(inode))?;
    let mut parts = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(parts.next()?)?, address(parts.next()?)?);
    Some(if remote.1 == 0 {
        format!("listening at {}:{}", local.0, local.1)
    } else {
        format!("{}:{}", remote.0, remote.1)
    })
}

/// `0100007F:1538`: words in the processor's order, then the port.
fn address(text: &str) -> Option<(String, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .map(|at| u32::from_str_radix(&address[8 * at..8 * at + 8], 16).map(u32::to_ne_bytes))
        .collect::<Result<_, _>>()
        .ok()?;
    let address: IpAddr = match words[..] {
        [word] => Ipv4Addr::from(word).into(),
        [a, b, c, d] => {
            let bytes: [u8; 16] = [a, b, c, d].concat().try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some((if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }, port))
}

fn unix_path(inode: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/net/unix").ok()?;
    let line = text.lines().find(|line| line.split_ascii_whitespace().nth(6) == Some(inode))?;
    Some(
        line.split_ascii_whitespace()
            .nth(7)
            .map_or_else(|| "a Unix socket".to_owned(), |path| format!("unix {path}")),
    )
}

/// The path that an argument points at, read through the own memory's file.
#[cfg(unix)]
fn path(pointer: u64) -> Option<String> {
    use std::os::unix::fs::FileExt;

    let mut bytes = [0; 256];
    let read = File::open("/proc/self/mem").ok()?.read_at(&mut bytes, pointer).ok()?;
    let end = bytes[..read].iter().position(|byte| *byte == 0)?;
    let path = std::str::from_utf8(&bytes[..end]).ok()?;
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(not(unix))]
fn path(_: u64) -> Option<String> {
    let _ = File::open("");
    None
}

/// What the arguments of a call say of its object.
#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    /// A descriptor, first.
    File,
    /// A pointer to a path, in this place.
    Path(usize),
}

use Takes::{Nothing, Path};

type Call = (i64, &'static str, Takes);

/// Calls that block, by their numbers.
#[cfg(target_arch = "x86_64")]
const CALLS: &[Call] = &[
    (0, "read(2)", Takes::File),
    (1, "write(2)", Takes::File),
    (2, "open(2)", Path(0)),
    (3, "close(2)", Takes::File),
    (4, "stat(2)", Path(0)),
    (7, "poll(2)", Nothing),
    (8, "lseek(2)", Takes::File),
    (9, "mmap(2)", Nothing),
    (11, "munmap(2)", Nothing),
    (16, "ioctl(2)", Takes::File),
    (17, "pread(2)", Takes::File),
    (18, "pwrite(2)", Takes::File),
    (19, "readv(2)", Takes::File),
    (20, "writev(2)", Takes::File),
    (23, "select(2)", Nothing),
    (26, "msync(2)", Nothing),
    (35, "nanosleep(2)", Nothing),
    (40, "sendfile(2)", Takes::File),
    (42, "connect(2)", Takes::File),
    (43, "accept(2)", Takes::File),
    (44, "sendto(2)", Takes::File),
    (45, "recvfrom(2)", Takes::File),
    (46, "sendmsg(2)", Takes::File),
    (47, "recvmsg(2)", Takes::File),
    (61, "wait4(2)", Nothing),
    (72, "fcntl(2)", Takes::File),
    (73, "flock(2)", Takes::File),
    (74, "fsync(2)", Takes::File),
    (75, "fdatasync(2)", Takes::File),
    (77, "ftruncate(2)", Takes::File),
    (82, "rename(2)", Path(0)),
    (87, "unlink(2)", Path(0)),
    (162, "sync(2)", Nothing),
    (202, "futex(2), a lock or condition", Nothing),
    (217, "getdents64(2)", Takes::File),
    (230, "clock_nanosleep(2)", Nothing),
    (232, "epoll_wait(2)", Nothing),
    (247, "waitid(2)", Nothing),
    (257, "openat(2)", Path(1)),
    (262, "newfstatat(2)", Path(1)),
    (263, "unlinkat(2)", Path(1)),
    (270, "pselect6(2)", Nothing),
    (271, "ppoll(2)", Nothing),
    (277, "sync_file_range(2)", Takes::File),
    (281, "epoll_pwait(2)", Nothing),
    (285, "fallocate(2)", Takes::File),
    (288, "accept4(2)", Takes::File),
    (306, "syncfs(2)", Takes::File),
    (316, "renameat2(2)", Path(1)),
    (318, "getrandom(2)", Nothing),
    (326, "copy_file_range(2)", Takes::File),
    (332, "statx(2)", Path(1)),
    (426, "io_uring_enter(2)", Nothing),
];

#[cfg(target_arch = "aarch64")]
const CALLS: &[Call] = &[
    (25, "fcntl(2)", Takes::File),
    (29, "ioctl(2)", Takes::File),
    (32, "flock(2)", Takes::File),
    (35, "unlinkat(2)", Path(1)),
    (46, "ftruncate(2)", Takes::File),
    (47, "fallocate(2)", Takes::File),
    (56, "openat(2)", Path(1)),
    (57, "close(2)", Takes::File),
    (61, "getdents64(2)", Takes::File),
    (62, "lseek(2)", Takes::File),
    (63, "read(2)", Takes::File),
    (64, "write(2)", Takes::File),
    (65, "readv(2)", Takes::File),
    (66, "writev(2)", Takes::File),
    (67, "pread(2)", Takes::File),
    (68, "pwrite(2)", Takes::File),
    (71, "sendfile(2)", Takes::File),
    (72, "pselect6(2)", Nothing),
    (73, "ppoll(2)", Nothing),
    (79, "newfstatat(2)", Path(1)),
    (81, "sync(2)", Nothing),
    (82, "fsync(2)", Takes::File),
    (83, "fdatasync(2)", Takes::File),
    (95, "waitid(2)", Nothing),
    (98, "futex(2), a lock or condition", Nothing),
    (101, "nanosleep(2)", Nothing),
    (115, "clock_nanosleep(2)", Nothing),
    (202, "accept(2)", Takes::File),
    (203, "connect(2)", Takes::File),
    (206, "sendto(2)", Takes::File),
    (207, "recvfrom(2)", Takes::File),
    (211, "sendmsg(2)", Takes::File),
    (212, "recvmsg(2)", Takes::File),
    (215, "munmap(2)", Nothing),
    (222, "mmap(2)", Nothing),
    (227, "msync(2)", Nothing),
    (242, "accept4(2)", Takes::File),
    (260, "wait4(2)", Nothing),
    (267, "syncfs(2)", Takes::File),
    (276, "renameat2(2)", Path(1)),
    (278, "getrandom(2)", Nothing),
    (285, "copy_file_range(2)", Takes::File),
    (291, "statx(2)", Path(1)),
    (426, "io_uring_enter(2)", Nothing),
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CALLS: &[Call] = &[];

#[cfg(test)]
#[cfg(target_os = "linux")]
#[allow(clippy::cast_sign_loss, reason = "descriptors are not negative")]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_descriptor_is_its_file_or_peer() {
        let program = std::env::current_exe().unwrap();
        let open = File::open(&program).unwrap();
        assert_eq!(file(open.as_raw_fd() as u64), Some(program.display().to_string()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(file(listener.as_raw_fd() as u64), Some(format!("tcp listening at {address}")));
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(file(client.as_raw_fd() as u64), Some(format!("tcp {address}")));
        let (pipe, _other) = nix::unistd::pipe().unwrap();
        assert_eq!(file(pipe.as_raw_fd() as u64).as_deref(), Some("a pipe"));
        assert_eq!(file(999_999), None);
    }

    #[test]
    fn a_path_is_read_through_the_pointer() {
        let path_of_call = c"/mnt/nfs/x";
        assert_eq!(path(path_of_call.as_ptr().addr() as u64).as_deref(), Some("/mnt/nfs/x"));
        assert_eq!(path(8), None);
    }

    #[test]
    fn a_thread_in_a_call_says_which() {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (send, id) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let link = fs::read_link("/proc/thread-self").unwrap();
            send.send(link.file_name().unwrap().to_str().unwrap().to_owned()).unwrap();
            let _ = ours.read(&mut [0]);
        });
        let id: u32 = id.recv().unwrap().parse().unwrap();
        // Before it sleeps it may run, which is no call.
        let held = || Held {
            state: state(id),
            doing: call_in(&fs::read_to_string(format!("/proc/self/task/{id}/syscall")).unwrap())
                .unwrap_or(Doing::Unknown),
            addresses: Vec::new(),
        };
        let is_there = |held: &Held| matches!(&held.doing, Doing::Call { name, .. } if name == "read(2)" || name == "recvfrom(2)");
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while !is_there(&held()) || held().state != Some('S') {
            assert!(std::time::Instant::now() < until, "{:?}", held());
            std::thread::yield_now();
        }
        assert!(held().text(false).unwrap().ends_with(" of a Unix socket"), "{:?}", held());
        assert!(!held().text(true).unwrap().contains("socket"));
        assert_eq!(held().thread().object.as_deref(), Some("a Unix socket"));
        drop(theirs);
        thread.join().unwrap();
    }

    /// The pointers and descriptors that it had then are not looked at any more: its memory has changed.
    #[test]
    fn a_thread_that_went_on_and_is_in_the_same_call_again_has_not_slept() {
        let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (send, id) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let link = fs::read_link("/proc/thread-self").unwrap();
            send.send(link.file_name().unwrap().to_str().unwrap().to_owned()).unwrap();
            let mut byte = [0];
            while ours.read(&mut byte).unwrap() == 1 {}
        });
        let id: u32 = id.recv().unwrap().parse().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let sleeping = || loop {
            let seen = Thread::read(id);
            if matches!(&seen.doing, Some(Doing::Call { object: Some(_), .. })) && seen.has_slept() {
                return seen;
            }
            assert!(Instant::now() < until, "it never sleeps in a call");
            std::thread::yield_now();
        };
        let before = sleeping();
        std::io::Write::write_all(&mut theirs, b"x").unwrap();
        let again = loop {
            let again = sleeping();
            if again.switches != before.switches {
                break again;
            }
            assert!(Instant::now() < until, "it does not go on");
        };
        assert_eq!(again.call, before.call);
        assert!(!before.has_slept());
        drop(theirs);
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_that_cannot_be_interrupted_says_so() {
        let call = |object: &str| Doing::Call { name: "fsync(2)".into(), object: Some(object.into()) };
        let held = |state, doing| Held { state: Some(state), doing, addresses: Vec::new() };
        let table = [
            (held('S', call("/var/lib/wal")), Some("in fsync(2) of /var/lib/wal")),
            (held('D', call("/var/lib/wal")), Some("in fsync(2) of /var/lib/wal, uninterruptible")),
            (held('S', call("/var/a\nb")), Some("in fsync(2) of /var/a\\nb")),
            (held('T', Doing::Unknown), Some("stopped")),
            (held('S', Doing::Unknown), None),
            (held('R', Doing::Computes { percent: 100 }), Some("on a processor 100 %")),
        ];
        for (held, text) in table {
            assert_eq!(held.text(false).as_deref(), text, "{held:?}");
        }
    }
}
