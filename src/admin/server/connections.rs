//! Places for connections, in classes.
//!
//! When all places are taken, a newcomer gets that of the first connection that
//!
//! 1. has sent no whole request yet,
//! 2. is idle between two requests,
//! 3. does not read what is written to it,
//! 4. has just come,
//!
//! of the peer that has most of that kind, the longest first. Those that have just come are of the first kind
//! where their peer has many of them. If there is none, the newcomer gets a place of
//! the reserve, which is for health checks alone: they find a place whatever others do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

/// A client that lets a write wait this long can be evicted for another.
const STALLED: Duration = Duration::from_secs(1);

/// How long a connection has just come: its request may be on its way.
const NEW: Duration = Duration::from_millis(250);

/// Connections that are open, in the order in which they came.
#[derive(Debug)]
pub(super) struct Connections {
    places: usize,
    reserve: usize,
    open: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    class: Class,
    task: AbortHandle,
    activity: Arc<Activity>,
}

/// Which places a connection takes one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Any,
    /// It is served health alone.
    Health,
}

/// What a connection does, written by itself.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    asked: AtomicBool,
    /// Requests whose responses have not been taken yet.
    serving: AtomicU64,
    /// Milliseconds from the begin to the last change, and to that of a write that waits; 0 while none does.
    changed: AtomicU64,
    waiting: AtomicU64,
}

/// A request being served, until its response is taken.
#[derive(Debug)]
pub(super) struct Serving(Arc<Activity>);

/// Why a connection may be evicted, the best reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Reason {
    Silent,
    Idle,
    Stalled,
    New,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            asked: AtomicBool::new(false),
            serving: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
        })
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A whole request has come.
    pub(super) fn serve(self: &Arc<Self>) -> Serving {
        self.asked.store(true, Ordering::Relaxed);
        self.serving.fetch_add(1, Ordering::Relaxed);
        Serving(Arc::clone(self))
    }

    /// A write waits for the client to read.
    pub(super) fn wait(&self) {
        let now = self.millis().max(1);
        let _ = self.waiting.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A write went.
    pub(super) fn wrote(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Why the connection may be evicted, and for how long that has been so.
    fn reason(&self) -> Option<(Reason, u64)> {
        let now = self.millis();
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting != 0 {
            let waited = now.saturating_sub(waiting);
            return (STALLED.as_millis() <= u128::from(waited)).then_some((Reason::Stalled, waited));
        }
        if !self.asked.load(Ordering::Relaxed) {
            let is_new = u128::from(now) < NEW.as_millis();
            return Some((if is_new { Reason::New } else { Reason::Silent }, now));
        }
        let idle = self.serving.load(Ordering::Relaxed) == 0;
        idle.then(|| (Reason::Idle, now.saturating_sub(self.changed.load(Ordering::Relaxed))))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.changed.store(self.0.millis(), Ordering::Relaxed);
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    pub(super) fn new(places: usize, reserve: usize) -> Self {
        Self { places: places.max(1), reserve: reserve.max(1), open: Vec::new() }
    }

    /// Returns the class of a place for one more connection. Another connection may be evicted for it.
    pub(super) fn make_room(&mut self) -> Class {
        self.open.retain(|connection| !connection.task.is_finished());
        if self.count(Class::Any) < self.places {
            return Class::Any;
        }
        if let Some((index, reason)) = self.victim(Class::Any) {
            let peer = self.open[index].peer;
            self.give_up(index);
            if matches!(reason, Reason::Silent | Reason::New) {
                self.give_up_silent(peer);
            }
            return Class::Any;
        }
        if self.reserve <= self.count(Class::Health) {
            let oldest = || self.open.iter().position(|connection| connection.class == Class::Health);
            if let Some(index) = self.victim(Class::Health).map(|(index, _)| index).or_else(oldest) {
                self.give_up(index);
            }
        }
        Class::Health
    }

    pub(super) fn add(&mut self, peer: IpAddr, class: Class, task: AbortHandle, activity: Arc<Activity>) {
        self.open.push(Connection { peer: peer.to_canonical(), class, task, activity });
    }

    fn count(&self, class: Class) -> usize {
        self.open.iter().filter(|connection| connection.class == class).count()
    }

    /// In a flood, room for the next of it is made as well.
    fn give_up_silent(&mut self, peer: IpAddr) {
        let mut most = self.places / 16;
        self.open.retain(|connection| {
            let silent = connection.class == Class::Any
                && connection.peer == peer
                && matches!(connection.activity.reason(), Some((Reason::Silent | Reason::New, _)));
            let stays = !silent || most == 0;
            if !stays {
                most -= 1;
                connection.task.abort();
            }
            stays
        });
    }

    /// Which connection of a class gives its place, and why.
    fn victim(&self, class: Class) -> Option<(usize, Reason)> {
        let of_class = self.open.iter().enumerate().filter(|(_, connection)| connection.class == class);
        let mut candidates: Vec<_> = of_class
            .filter_map(|(index, connection)| {
                let (reason, since) = connection.activity.reason()?;
                Some((index, connection.peer, reason, since))
            })
            .collect();
        self.unmask_floods(&mut candidates);
        let reason = candidates.iter().map(|(_, _, reason, _)| *reason).min()?;
        let mut of_peers: HashMap<IpAddr, usize> = HashMap::new();
        let candidates: Vec<_> = candidates.into_iter().filter(|candidate| candidate.2 == reason).collect();
        for (_, peer, ..) in &candidates {
            *of_peers.entry(*peer).or_default() += 1;
        }
        let longest = candidates.into_iter().max_by_key(|(index, peer, _, since)| {
            (of_peers.get(peer).copied(), *since, std::cmp::Reverse(*index))
        });
        longest.map(|(index, ..)| (index, reason))
    }

    /// Of a peer with many connections that have just come, these are silent.
    fn unmask_floods(&self, candidates: &mut [(usize, IpAddr, Reason, u64)]) {
        let mut new: HashMap<IpAddr, usize> = HashMap::new();
        for (_, peer, ..) in candidates.iter().filter(|candidate| candidate.2 == Reason::New) {
            *new.entry(*peer).or_default() += 1;
        }
        for (_, peer, reason, _) in candidates.iter_mut().filter(|candidate| candidate.2 == Reason::New) {
            if self.places / 8 < new[&*peer] {
                *reason = Reason::Silent;
            }
        }
    }

    fn give_up(&mut self, index: usize) {
        self.open.remove(index).task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    fn add(connections: &mut Connections, last: u8, class: Class) -> Arc<Activity> {
        let activity = Activity::new();
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        connections.add(peer(last), class, task, Arc::clone(&activity));
        activity
    }

    fn peers(connections: &Connections) -> Vec<IpAddr> {
        connections.open.iter().map(|connection| connection.peer).collect()
    }

    #[tokio::test]
    async fn silent_connections_close_first_then_idle_ones_and_no_others() {
        let mut connections = Connections::new(3, 1);
        let busy = add(&mut connections, 1, Class::Any);
        let _serving = busy.serve();
        let idle = add(&mut connections, 2, Class::Any);
        drop(idle.serve());
        add(&mut connections, 3, Class::Any);
        assert_eq!(connections.make_room(), Class::Any);
        assert_eq!(peers(&connections), [peer(1), peer(2)]);
        let other = add(&mut connections, 4, Class::Any);
        let _other_serving = other.serve();
        assert_eq!(connections.make_room(), Class::Any);
        assert_eq!(peers(&connections), [peer(1), peer(4)]);
        let third = add(&mut connections, 5, Class::Any);
        let _third_serving = third.serve();
        assert_eq!(connections.make_room(), Class::Health);
        assert_eq!(peers(&connections).len(), 3);
    }

    #[tokio::test]
    async fn the_peer_with_most_gives_way() {
        let mut connections = Connections::new(3, 1);
        for last in [1, 2, 2] {
            drop(add(&mut connections, last, Class::Any).serve());
        }
        connections.make_room();
        assert_eq!(peers(&connections), [peer(1), peer(2)]);
    }

    /// What a health check asks is on its way while others come from the same address.
    #[tokio::test]
    async fn one_that_has_just_come_gives_way_last_unless_it_is_one_of_many() {
        let stay_of_two = || {
            let mut connections = Connections::new(16, 1);
            for _ in 0..14 {
                drop(add(&mut connections, 1, Class::Any).serve());
            }
            let new = [add(&mut connections, 1, Class::Any), add(&mut connections, 1, Class::Any)];
            let stay = |connections: &Connections| {
                let is_there =
                    |one: &Arc<Activity>| connections.open.iter().any(|it| Arc::ptr_eq(&it.activity, one));
                new.iter().filter(|one| is_there(one)).count()
            };
            connections.make_room();
            let first = (connections.open.len(), stay(&connections));
            add(&mut connections, 1, Class::Any);
            connections.make_room();
            (first, stay(&connections))
        };
        // New is what came less than 250 ms ago, which may be long ago on a busy machine.
        let stay = std::iter::repeat_with(|| (std::time::Instant::now(), stay_of_two()))
            .find_map(|(began, stay)| (began.elapsed() < NEW / 2).then_some(stay))
            .unwrap();
        assert_eq!(stay.0, (15, 2));
        assert!(stay.1 < 2, "three of 16 places are a flood");
    }

    #[tokio::test]
    async fn the_reserve_is_never_full() {
        let mut connections = Connections::new(1, 1);
        let _serving = add(&mut connections, 1, Class::Any).serve();
        for last in 2..9 {
            assert_eq!(connections.make_room(), Class::Health);
            let _ = add(&mut connections, last, Class::Health).serve();
        }
        assert_eq!(peers(&connections), [peer(1), peer(8)]);
    }
}
