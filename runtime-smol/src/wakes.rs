//! Which streams the reactor woke: each has a waker of its own, so that a turn looks at those that can do something, and
//! thousands that cannot cost it nothing.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use landfall_core::StreamId;

/// What all wakers of one node's streams ring.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    streams: Vec<StreamId>,
    /// The loop, if it waits.
    task: Option<Waker>,
}

/// One stream's.
struct Bell {
    stream: StreamId,
    wakes: Arc<Wakes>,
}

impl Wakes {
    /// A waker that says that this stream can do something.
    pub(crate) fn waker(self: &Arc<Self>, stream: StreamId) -> Waker {
        Waker::from(Arc::new(Bell { stream, wakes: Arc::clone(self) }))
    }

    /// The streams that were woken since it was asked last, perhaps some of them twice; `task` is woken for the next.
    pub(crate) fn take(&self, task: &Waker) -> Vec<StreamId> {
        let mut rung = self.lock();
        if !rung.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            rung.task = Some(task.clone());
        }
        mem::take(&mut rung.streams)
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut rung = self.wakes.lock();
        rung.streams.push(self.stream);
        let task = rung.task.take();
        drop(rung);
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_loop_is_woken_once_for_all_that_rang_and_hears_which() {
        let wakes = Arc::new(Wakes::default());
        let [a, b] = [StreamId::Dialled(0), StreamId::Accepted(0)];
        let [ring_a, ring_b] = [a, b].map(|stream| wakes.waker(stream));
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        ring_a.wake_by_ref();
        assert_eq!(wakes.take(&task), [a], "one that rang before anybody listened");
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        ring_b.wake_by_ref();
        ring_a.wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(wakes.take(&task), [b, a]);
        assert!(wakes.take(&task).is_empty());
    }
}
