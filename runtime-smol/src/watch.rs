//! Notices that this machine's interfaces changed and says what they are now.
//!
//! netwatcher waits for the system's notifications and yields an update when addresses came or went. More than that
//! matters here: a cable that is plugged in, an address whose duplicate detection ends, a route. So every notification
//! counts, whether netwatcher thinks it worth an update or not: each one wakes its future, and a waker of our own sees
//! that. The list is then read by [`interfaces`] and compared.
//!
//! Nothing is read while nothing is notified.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use landfall_core::Interface;
use netwatcher::AsyncWatch;
use netwatcher::async_adapter::AsyncIo;
use smol::Timer;
use smol::channel::Sender;
use smol::future;
use tracing::{debug, warn};

use crate::interfaces::interfaces;
use crate::threads::elsewhere;

/// Notifications come in swarms: the list is read when they pause for so long,
const PAUSE: Duration = Duration::from_millis(50);
/// or when they have been going on for so long.
const LONGEST_SWARM: Duration = Duration::from_millis(250);
/// When the list is read once more after a swarm: routes follow addresses, and nobody notifies of them.
const AFTERWARDS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// How often the list is read on a system that does not notify.
const UNNOTIFIED: Duration = Duration::from_secs(15);

/// Sends the list of interfaces whenever it differs from `known`, and then from the last one sent. Never returns.
pub(crate) async fn watch(mut known: Vec<Interface>, changes: Sender<Vec<Interface>>) -> Infallible {
    let mut notifications = Notifications::subscribe();
    loop {
        notifications.next().await;
        settle(&mut notifications).await;
        let mut looks = AFTERWARDS.iter();
        while report(&mut known, &changes).await {
            let Some(delay) = looks.next() else { break };
            let again = async {
                notifications.next().await;
                true
            };
            let in_time = async {
                Timer::after(*delay).await;
                false
            };
            if future::or(again, in_time).await {
                settle(&mut notifications).await;
                looks = AFTERWARDS.iter();
            }
        }
    }
}

/// Waits until the swarm of notifications is over, or has lasted long enough.
async fn settle(notifications: &mut Notifications) {
    let end = Instant::now() + LONGEST_SWARM;
    loop {
        let more = async {
            notifications.next().await;
            true
        };
        let pause = async {
            Timer::at(end.min(Instant::now() + PAUSE)).await;
            false
        };
        // The pause comes first: it must end a swarm that never ends by itself.
        if !future::or(pause, more).await {
            return;
        }
    }
}

/// Reads the list and sends it if it is news. False when nobody listens any more.
async fn report(known: &mut Vec<Interface>, changes: &Sender<Vec<Interface>>) -> bool {
    match elsewhere(interfaces).await.flatten() {
        Ok(list) if list == *known => true,
        Ok(list) => {
            debug!("the interfaces of this machine changed");
            known.clone_from(&list);
            changes.send(list).await.is_ok()
        }
        Err(error) => {
            warn!("the network interfaces cannot be listed: {error}; the last list stays in use");
            true
        }
    }
}

/// The system's notifications.
struct Notifications {
    /// None on a system that does not notify.
    watch: Option<AsyncWatch>,
    notified: Arc<Notified>,
}

/// A waker that remembers that it was woken.
#[derive(Default)]
struct Notified {
    yes: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Notifications {
    fn subscribe() -> Self {
        let watch = netwatcher::watch_interfaces_async::<AsyncIo>();
        if let Err(error) = &watch {
            warn!(
                "the system does not notify of interface changes ({error}); they are looked for every {UNNOTIFIED:?}"
            );
        }
        Self { watch: watch.ok(), notified: Arc::default() }
    }

    /// Waits for a notification. At first also for the first state, which counts as one.
    async fn next(&mut self) {
        let Some(watch) = &mut self.watch else {
            Timer::after(UNNOTIFIED).await;
            return;
        };
        let notified = Arc::clone(&self.notified);
        let waker = Waker::from(Arc::clone(&notified));
        let mut changed = pin!(watch.changed());
        poll_fn(|context| {
            *notified.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
            let woken = notified.yes.swap(false, Ordering::AcqRel);
            let update = changed.as_mut().poll(&mut Context::from_waker(&waker));
            if woken || update.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Wake for Notified {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.yes.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}
