//! Leaves of tokio and of crates for channels and futures. Each marks the line of its await.

use std::future::pending;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, SinkExt};
use tokio::sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::{HOUR, Leaves, leaf};

async fn sleep() {
    tokio::time::sleep(HOUR).await; // waits
}

async fn interval() {
    let mut ticks = tokio::time::interval(HOUR);
    ticks.tick().await;
    ticks.tick().await; // waits
}

async fn timeout() {
    let _ = tokio::time::timeout(HOUR, pending::<()>()).await; // waits
}

async fn mpsc_recv(mut receiver: mpsc::Receiver<u32>) {
    receiver.recv().await; // waits
}

async fn mpsc_send(sender: mpsc::Sender<u32>) {
    let _ = sender.send(1).await;
    let _ = sender.send(2).await; // waits
}

async fn unbounded_recv(mut receiver: mpsc::UnboundedReceiver<u32>) {
    receiver.recv().await; // waits
}

async fn oneshot_recv(receiver: oneshot::Receiver<u32>) {
    let _ = receiver.await; // waits
}

async fn oneshot_closed(mut sender: oneshot::Sender<u32>) {
    sender.closed().await; // waits
}

async fn broadcast_recv(mut receiver: broadcast::Receiver<u32>) {
    let _ = receiver.recv().await; // waits
}

async fn watch_changed(mut receiver: watch::Receiver<u32>) {
    let _ = receiver.changed().await; // waits
}

async fn watch_wait_for(mut receiver: watch::Receiver<u32>) {
    let _ = receiver.wait_for(|value| *value == 9).await; // waits
}

async fn mutex(mutex: Arc<Mutex<u32>>) {
    let _guard = mutex.lock().await; // waits
}

async fn rwlock_read(lock: Arc<RwLock<u32>>) {
    let _guard = lock.read().await; // waits
}

async fn rwlock_write(lock: Arc<RwLock<u32>>) {
    let _guard = lock.write().await; // waits
}

async fn semaphore(semaphore: Arc<Semaphore>) {
    let _permit = semaphore.acquire().await; // waits
}

async fn notify(notify: Arc<Notify>) {
    notify.notified().await; // waits
}

async fn barrier(barrier: Arc<Barrier>) {
    barrier.wait().await; // waits
}

async fn once_cell(cell: Arc<OnceCell<u32>>) {
    cell.get_or_init(|| tokio::time::sleep(HOUR).map(|()| 1)).await; // waits
}

async fn join_handle(handle: JoinHandle<()>) {
    let _ = handle.await; // waits
}

async fn join_set() {
    let mut set = JoinSet::new();
    set.spawn(pending::<()>());
    set.join_next().await; // waits
}

async fn spawn_blocking() {
    let _ = tokio::task::spawn_blocking(|| std::thread::sleep(HOUR)).await; // waits
}

async fn fs_read() {
    // A named pipe that nothing opens for writing blocks a thread of the pool.
    let path = std::env::temp_dir().join(format!("leaves-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()));
    let _ = tokio::fs::read(&path).await; // waits
}

async fn process() {
    // It ends with this process, which holds the other end of its pipe.
    let mut child = tokio::process::Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
    let _pipe = child.stdin.take();
    let _ = child.wait().await; // waits
}

async fn signal() {
    let kind = tokio::signal::unix::SignalKind::user_defined2();
    let mut signals = tokio::signal::unix::signal(kind).expect("a signal");
    signals.recv().await; // waits
}

async fn select(mut receiver: mpsc::Receiver<u32>) {
    tokio::select! { // waits
        _ = receiver.recv() => {}
        () = tokio::time::sleep(HOUR) => {}
    }
}

async fn join(notify: Arc<Notify>) {
    tokio::join!(notify.notified(), tokio::time::sleep(HOUR)); // waits
}

async fn futures_join(notify: Arc<Notify>) {
    futures::join!(notify.notified(), tokio::time::sleep(HOUR)); // waits
}

async fn unordered() {
    let mut all: FuturesUnordered<_> = (0..3).map(|_| tokio::time::sleep(HOUR)).collect();
    all.next().await; // waits
}

async fn buffered() {
    let mut all = futures::stream::iter(0..3).map(|_| tokio::time::sleep(HOUR)).buffer_unordered(2);
    all.next().await; // waits
}

async fn shared() {
    let shared = tokio::time::sleep(HOUR).shared();
    shared.await; // waits
}

async fn boxed() {
    let boxed: futures::future::BoxFuture<'static, ()> = Box::pin(tokio::time::sleep(HOUR));
    boxed.await; // waits
}

async fn futures_mpsc(mut receiver: futures::channel::mpsc::UnboundedReceiver<u32>) {
    receiver.next().await; // waits
}

async fn futures_mpsc_send(mut sender: futures::channel::mpsc::Sender<u32>) {
    // It has room for the message and is full then, which is what a flush waits for.
    let _ = sender.send(1).await; // waits
}

async fn futures_oneshot(receiver: futures::channel::oneshot::Receiver<u32>) {
    let _ = receiver.await; // waits
}

async fn futures_mutex(mutex: Arc<futures::lock::Mutex<u32>>) {
    let _guard = mutex.lock().await; // waits
}

async fn flume_recv(receiver: flume::Receiver<u32>) {
    let _ = receiver.recv_async().await; // waits
}

async fn flume_send(sender: flume::Sender<u32>) {
    let _ = sender.send_async(1).await;
    let _ = sender.send_async(2).await; // waits
}

async fn async_channel_recv(receiver: async_channel::Receiver<u32>) {
    let _ = receiver.recv().await; // waits
}

async fn cancelled(token: tokio_util::sync::CancellationToken) {
    token.cancelled().await; // waits
}

async fn tracker(tracker: tokio_util::task::TaskTracker) {
    tracker.wait().await; // waits
}

async fn stream(receiver: mpsc::Receiver<u32>) {
    let mut stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    stream.next().await; // waits
}

async fn draining() {
    headcount::draining().await; // waits
}

/// Spawns them, and keeps what they wait for.
pub(crate) async fn spawn(leaves: &mut Leaves) {
    leaf!(leaves, sleep(), "Sleep");
    leaf!(leaves, interval(), "Interval::tick");
    leaf!(leaves, timeout(), "Timeout");
    let (sender, receiver) = mpsc::channel(1);
    leaf!(leaves, mpsc_recv(receiver), "Receiver::recv");
    std::mem::forget(sender);
    let (sender, receiver) = mpsc::channel(1);
    leaf!(leaves, mpsc_send(sender), "Sender::send");
    std::mem::forget(receiver);
    let (sender, receiver) = mpsc::unbounded_channel();
    leaf!(leaves, unbounded_recv(receiver), "UnboundedReceiver::recv");
    std::mem::forget(sender);
    let (sender, receiver) = oneshot::channel();
    leaf!(leaves, oneshot_recv(receiver), "oneshot::Receiver");
    std::mem::forget(sender);
    let (sender, receiver) = oneshot::channel();
    leaf!(leaves, oneshot_closed(sender), "Sender::closed");
    std::mem::forget(receiver);
    let (sender, receiver) = broadcast::channel(1);
    leaf!(leaves, broadcast_recv(receiver), "Receiver::recv");
    std::mem::forget(sender);
    let (sender, receiver) = watch::channel(0);
    leaf!(leaves, watch_changed(receiver.clone()), "Receiver::changed");
    leaf!(leaves, watch_wait_for(receiver), "Receiver::wait_for");
    std::mem::forget(sender);
    let held = Arc::new(Mutex::new(0));
    std::mem::forget(Arc::clone(&held).lock_owned().await);
    leaf!(leaves, mutex(held), "Mutex::lock");
    let lock = Arc::new(RwLock::new(0));
    std::mem::forget(Arc::clone(&lock).write_owned().await);
    leaf!(leaves, rwlock_read(Arc::clone(&lock)), "RwLock::read");
    leaf!(leaves, rwlock_write(lock), "RwLock::write");
    leaf!(leaves, semaphore(Arc::new(Semaphore::new(0))), "Semaphore::acquire");
    let never = Arc::new(Notify::new());
    leaf!(leaves, notify(Arc::clone(&never)), "Notified");
    leaf!(leaves, barrier(Arc::new(Barrier::new(2))), "Barrier::wait");
    leaf!(leaves, once_cell(Arc::new(OnceCell::new())), "OnceCell");
    leaf!(leaves, join_handle(tokio::spawn(pending())), "JoinHandle");
    leaf!(leaves, join_set(), "JoinSet::join_next");
    leaf!(leaves, spawn_blocking(), "JoinHandle");
    leaf!(leaves, fs_read(), "read");
    leaf!(leaves, process(), "Child::wait");
    leaf!(leaves, signal(), "Signal::recv");
    let (sender, receiver) = mpsc::channel(1);
    leaf!(leaves, select(receiver), "Receiver::recv");
    std::mem::forget(sender);
    leaf!(leaves, join(Arc::clone(&never)), "Notified");
    leaf!(leaves, futures_join(never), "Notified");
    leaf!(leaves, unordered(), "Next");
    leaf!(leaves, buffered(), "Next");
    leaf!(leaves, shared(), "Shared");
    leaf!(leaves, boxed(), "Sleep");
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    leaf!(leaves, futures_mpsc(receiver), "Next");
    std::mem::forget(sender);
    let (sender, receiver) = futures::channel::mpsc::channel(0);
    leaf!(leaves, futures_mpsc_send(sender), "Send");
    std::mem::forget(receiver);
    let (sender, receiver) = futures::channel::oneshot::channel();
    leaf!(leaves, futures_oneshot(receiver), "oneshot::Receiver");
    std::mem::forget(sender);
    let held = Arc::new(futures::lock::Mutex::new(0));
    std::mem::forget(Arc::clone(&held).lock_owned().await);
    leaf!(leaves, futures_mutex(held), "MutexLockFuture");
    let (sender, receiver) = flume::bounded(1);
    leaf!(leaves, flume_recv(receiver), "RecvFut");
    std::mem::forget(sender);
    let (sender, receiver) = flume::bounded(1);
    leaf!(leaves, flume_send(sender), "SendFut");
    std::mem::forget(receiver);
    let (sender, receiver) = async_channel::bounded(1);
    leaf!(leaves, async_channel_recv(receiver), "event_listener");
    std::mem::forget(sender);
    leaf!(leaves, cancelled(tokio_util::sync::CancellationToken::new()), "WaitForCancellationFuture");
    let busy = tokio_util::task::TaskTracker::new();
    busy.spawn(pending::<()>());
    leaf!(leaves, tracker(busy), "TaskTracker");
    let (sender, receiver) = mpsc::channel(1);
    leaf!(leaves, stream(receiver), "Next");
    std::mem::forget(sender);
    leaf!(leaves, draining(), "waits for draining()");
    tokio::time::sleep(Duration::from_millis(10)).await;
}
