//! From the task that makes frames to all clients of the events.
//!
//! A client that reads slowly gets the newest frame when it reads again. The frames that it missed are
//! counted.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::context::Mount;

/// How long the end of a client may take to be noticed.
const NOTICED_WITHIN: Duration = Duration::from_millis(200);

/// The frames, and the places of the clients.
#[derive(Debug)]
pub(super) struct Hub {
    frames: watch::Sender<Frame>,
    limit: usize,
    clients: Mutex<Vec<Client>>,
    next_client: AtomicU64,
    /// Of these, those that merge.
    merging: AtomicUsize,
    /// A metric: frames that clients missed.
    dropped: Arc<AtomicU64>,
    /// Something changed that clients should not wait a second for.
    changed: Notify,
    /// A client has left.
    left: Notify,
}

#[derive(Clone, Debug, Default)]
struct Frame {
    number: u64,
    bytes: Bytes,
    /// The same for clients that have the frame before, and merge.
    delta: Option<Bytes>,
    until: Until,
}

/// The clients that receive no further frame after this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Until {
    #[default]
    Nobody,
    /// Clients of mounted routers: the application's server waits for its connections, and tasks perhaps for
    /// the server. A page that follows must delay neither.
    Draining,
    Everybody,
}

/// A client that is served.
#[derive(Debug)]
struct Client {
    id: u64,
    /// `None` in a mounted router, which knows no peer.
    peer: Option<IpAddr>,
    given_up: Arc<Notify>,
}

/// A client's place among those that are served.
#[derive(Debug)]
pub(super) struct Place {
    hub: Arc<Hub>,
    id: u64,
    given_up: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hub.clients.lock().retain(|client| client.id != self.id);
        self.hub.left.notify_waiters();
    }
}

impl Hub {
    pub(super) fn new(limit: usize, dropped: Arc<AtomicU64>) -> Self {
        Self {
            frames: watch::Sender::default(),
            limit,
            clients: Mutex::default(),
            next_client: AtomicU64::new(0),
            merging: AtomicUsize::new(0),
            dropped,
            changed: Notify::new(),
            left: Notify::new(),
        }
    }

    /// A place for one more client. Where none is free, the peer that has most gives its oldest, if it has
    /// more than this one then has.
    pub(super) fn enter(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Place> {
        let mut clients = self.clients.lock();
        if self.limit <= clients.len() {
            let index = victim(&clients, peer)?;
            clients.remove(index).given_up.notify_one();
        }
        let (id, given_up) = (self.next_client.fetch_add(1, Ordering::Relaxed), Arc::new(Notify::new()));
        clients.push(Client { id, peer, given_up: Arc::clone(&given_up) });
        Some(Place { hub: Arc::clone(self), id, given_up })
    }

    pub(super) fn has_clients(&self) -> bool {
        !self.clients.lock().is_empty()
    }

    /// The same, also of a client that leaves just now: its end is noticed a moment after it.
    pub(super) async fn enter_soon(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Place> {
        let entered = async {
            loop {
                let mut left = pin!(self.left.notified());
                left.as_mut().enable();
                if let Some(place) = self.enter(peer) {
                    return place;
                }
                left.await;
            }
        };
        tokio::time::timeout(NOTICED_WITHIN, entered).await.ok()
    }

    /// Resolves once all clients have left.
    pub(super) async fn emptied(&self) {
        loop {
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            if !self.has_clients() {
                return;
            }
            left.await;
        }
    }

    /// Has the next frame made at once.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Resolves when a frame is wanted at once.
    pub(super) async fn woken(&self) {
        self.changed.notified().await;
    }

    /// Whether a client merges what changed.
    pub(super) fn has_merging_clients(&self) -> bool {
        0 < self.merging.load(Ordering::Acquire)
    }

    pub(super) fn send(&self, bytes: Bytes, delta: Option<Bytes>, until: Until) {
        self.frames.send_modify(|frame| {
            if frame.until != Until::Everybody {
                *frame = Frame { number: frame.number + 1, bytes, delta, until };
            }
        });
    }
}

/// The client that gives its place to one of this peer.
fn victim(clients: &[Client], newcomer: Option<IpAddr>) -> Option<usize> {
    let count = |peer| clients.iter().filter(|client| client.peer == peer).count();
    let most = clients.iter().map(|client| client.peer).max_by_key(|peer| count(*peer))?;
    if count(most) <= count(newcomer) + 1 {
        return None;
    }
    clients.iter().position(|client| client.peer == most)
}

/// The frames for a client, after `hello`. One that merges gets what changed, wherever it has the frame
/// before.
pub(super) fn follow(
    place: Place,
    hello: Bytes,
    mount: Mount,
    merges: bool,
) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    let frames = place.hub.frames.subscribe();
    let seen = frames.borrow().number;
    place.hub.merging.fetch_add(usize::from(merges), Ordering::AcqRel);
    place.hub.wake();
    let follower =
        Follower { place, frames, seen, hello: Some(hello), mount, merges, has_whole: false, over: false };
    stream::unfold(follower, Follower::next)
}

struct Follower {
    place: Place,
    frames: watch::Receiver<Frame>,
    seen: u64,
    hello: Option<Bytes>,
    mount: Mount,
    merges: bool,
    /// It has a frame to merge into.
    has_whole: bool,
    over: bool,
}

/// A client that leaves has missed what came after its last frame.
impl Drop for Follower {
    fn drop(&mut self) {
        let newest = self.frames.borrow().number;
        self.missed(newest.saturating_sub(self.seen));
        self.place.hub.merging.fetch_sub(usize::from(self.merges), Ordering::AcqRel);
    }
}

impl Follower {
    fn missed(&self, frames: u64) {
        self.place.hub.dropped.fetch_add(frames, Ordering::Relaxed);
    }

    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(hello) = self.hello.take() {
            return Some((Ok(hello), self));
        }
        if self.over {
            return None;
        }
        let seen = self.seen;
        let given_up = Arc::clone(&self.place.given_up);
        let news = self.frames.wait_for(|frame| seen < frame.number || frame.until == Until::Everybody);
        let frame = tokio::select! {
            biased;
            () = given_up.notified() => return None,
            frame = news => frame.ok()?.clone(),
        };
        self.missed(frame.number.saturating_sub(seen + 1));
        let is_next = self.merges && self.has_whole && frame.number == seen + 1;
        self.has_whole = true;
        self.seen = frame.number;
        self.over = match frame.until {
            Until::Nobody => false,
            Until::Draining => self.mount == Mount::Application,
            Until::Everybody => true,
        };
        Some((Ok(frame.delta.filter(|_| is_next).unwrap_or(frame.bytes)), self))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn hub() -> (Arc<Hub>, Arc<AtomicU64>) {
        let dropped = Arc::default();
        (Arc::new(Hub::new(1, Arc::clone(&dropped))), dropped)
    }

    #[tokio::test]
    async fn a_slow_client_gets_the_newest_frame_and_the_missed_ones_are_counted() {
        let (hub, dropped) = hub();
        let dropped = || dropped.load(Ordering::Relaxed);
        let mut client = pin!(follow(hub.enter(None).unwrap(), bytes("hello"), Mount::Own, false));
        assert_eq!(client.next().await, Some(Ok(bytes("hello"))));
        for frame in ["one", "two", "three"] {
            hub.send(bytes(frame), None, Until::Nobody);
        }
        assert_eq!(client.next().await, Some(Ok(bytes("three"))));
        assert_eq!(dropped(), 2);
        hub.send(bytes("report"), None, Until::Everybody);
        hub.send(bytes("late"), None, Until::Nobody);
        assert_eq!(client.next().await, Some(Ok(bytes("report"))));
        assert_eq!(client.next().await, None);
        assert_eq!(dropped(), 2);
    }

    #[tokio::test]
    async fn a_client_that_merges_gets_what_changed_unless_it_missed_a_frame() {
        let (hub, _) = hub();
        let mut client = pin!(follow(hub.enter(None).unwrap(), bytes("hello"), Mount::Own, true));
        assert!(hub.has_merging_clients());
        let send = |whole, delta| hub.send(bytes(whole), Some(bytes(delta)), Until::Nobody);
        assert_eq!(client.next().await, Some(Ok(bytes("hello"))));
        send("one", "+1");
        assert_eq!(client.next().await, Some(Ok(bytes("one"))), "nothing to merge into yet");
        send("two", "+2");
        assert_eq!(client.next().await, Some(Ok(bytes("+2"))));
        send("three", "+3");
        send("four", "+4");
        assert_eq!(client.next().await, Some(Ok(bytes("four"))), "it missed the third");
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_client_has_left() {
        let (hub, _) = hub();
        let place = hub.enter(None).unwrap();
        assert!(hub.enter(None).is_none());
        drop(place);
        assert!(hub.enter(None).is_some());
    }

    #[tokio::test]
    async fn a_peer_with_many_places_gives_its_oldest_to_another() {
        let hub = Arc::new(Hub::new(2, Arc::default()));
        let [one, other] = [1, 2].map(|last| Some(IpAddr::from([10, 0, 0, last])));
        let mut oldest = pin!(follow(hub.enter(one).unwrap(), bytes("hello"), Mount::Own, false));
        assert_eq!(oldest.next().await, Some(Ok(bytes("hello"))));
        let second = hub.enter(one).unwrap();
        assert!(hub.enter(one).is_none());
        let place = hub.enter(other).unwrap();
        assert_eq!(oldest.next().await, None);
        assert!(hub.enter(other).is_none(), "each has one");
        drop((second, place));
        assert!(!hub.has_clients());
    }
}
