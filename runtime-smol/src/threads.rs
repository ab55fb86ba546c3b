//! Work on other threads.
//!
//! Not on smol's pool: its threads wake twice a second as long as they live, and a node that does nothing should do
//! nothing. These threads end with their work, or wait for more without a timeout.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use landfall_core::{Job, Keyring};
use smol::channel::{Receiver, Sender, bounded, unbounded};
use tracing::warn;

use crate::driver::Done;

/// The most threads that run costly jobs.
const MOST_WORKERS: usize = 4;

/// Does `work` on a thread of its own and returns what comes of it.
pub(crate) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (result, done) = bounded(1);
    thread::Builder::new().name("landfall-once".to_owned()).spawn(move || {
        let _ = result.try_send(work());
    })?;
    done.recv().await.map_err(|_| io::Error::other("a thread panicked"))
}

/// Runs jobs that cost too much for the loop. Threads are started when jobs wait for one, and end with this.
pub(crate) struct Workers {
    keyring: Arc<dyn Keyring + Send + Sync>,
    jobs: (Sender<Job>, Receiver<Job>),
    done: Sender<Done>,
    started: usize,
    most: usize,
}

impl Workers {
    pub(crate) fn new(keyring: Arc<dyn Keyring + Send + Sync>, done: Sender<Done>) -> Self {
        let most = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_WORKERS);
        Self { keyring, jobs: unbounded(), done, started: 0, most }
    }

    /// Runs `job` on another thread; on this one only if the system gives none.
    pub(crate) fn run(&mut self, job: Job) {
        if self.started < self.most && (self.started == 0 || !self.jobs.0.is_empty()) {
            match self.start() {
                Ok(()) => self.started += 1,
                Err(error) => warn!("the system gives no thread for costly jobs: {error}"),
            }
        }
        if self.started == 0 {
            let _ = self.done.try_send(Done::Job(job.run(&*self.keyring)));
        } else {
            // Never full and never closed: this end holds both of its ends.
            let _ = self.jobs.0.try_send(job);
        }
    }

    fn start(&self) -> io::Result<()> {
        let (keyring, jobs, done) = (Arc::clone(&self.keyring), self.jobs.1.clone(), self.done.clone());
        thread::Builder::new().name("landfall-job".to_owned()).spawn(move || {
            while let Ok(job) = jobs.recv_blocking() {
                let _ = done.try_send(Done::Job(job.run(&*keyring)));
            }
        })?;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs.0.close();
    }
}

#[cfg(test)]
mod tests {
    use smol::future::block_on;

    use super::*;

    #[test]
    fn work_elsewhere_returns_its_result_or_says_that_it_panicked() {
        assert_eq!(block_on(elsewhere(|| 7)).ok(), Some(7));
        assert!(block_on(elsewhere(|| -> u8 { panic!("on purpose, in a test") })).is_err());
    }
}
