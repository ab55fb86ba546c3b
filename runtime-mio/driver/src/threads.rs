//! Work on other threads. They end with their work, or wait for more without a timeout.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use landfall_core::{Job, Keyring};
use tracing::warn;

use crate::interfaces::interfaces;
use crate::results::{Done, Results};

/// The most threads that run costly jobs.
const MOST_WORKERS: usize = 4;

/// Lists the interfaces on a thread of its own; on this one if the system gives none.
pub(crate) fn list_interfaces(results: &Results) {
    let there = results.clone();
    let started = thread::Builder::new().name("landfall-once".to_owned()).spawn(move || {
        there.tell(Done::Interfaces(interfaces()));
    });
    if started.is_err() {
        results.tell(Done::Interfaces(interfaces()));
    }
}

/// Runs jobs that cost too much for the loop. Threads are started when jobs wait for one, and end with this.
pub(crate) struct Workers {
    keyring: Arc<dyn Keyring + Send + Sync>,
    queue: Arc<Queue>,
    results: Results,
    started: usize,
    most: usize,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    over: bool,
}

impl Workers {
    pub(crate) fn new(keyring: Arc<dyn Keyring + Send + Sync>, results: Results) -> Self {
        let most = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_WORKERS);
        Self { keyring, queue: Arc::default(), results, started: 0, most }
    }

    /// Runs `job` on another thread; on this one only if the system gives none.
    pub(crate) fn run(&mut self, job: Job) {
        if self.started < self.most && (self.started == 0 || !self.queue.lock().jobs.is_empty()) {
            match self.start() {
                Ok(()) => self.started += 1,
                Err(error) => warn!("the system gives no thread for costly jobs: {error}"),
            }
        }
        if self.started == 0 {
            self.results.tell(Done::Job(job.run(&*self.keyring)));
        } else {
            self.queue.lock().jobs.push_back(job);
            self.queue.filled.notify_one();
        }
    }

    fn start(&self) -> io::Result<()> {
        let (keyring, queue, results) = (Arc::clone(&self.keyring), Arc::clone(&self.queue), self.results.clone());
        thread::Builder::new().name("landfall-job".to_owned()).spawn(move || {
            while let Some(job) = queue.next() {
                results.tell(Done::Job(job.run(&*keyring)));
            }
        })?;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.lock().over = true;
        self.queue.filled.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, or none when all is over.
    fn next(&self) -> Option<Job> {
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.over;
        let mut waiting = self.filled.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.pop_front().filter(|_| !waiting.over)
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("started", &self.started).finish_non_exhaustive()
    }
}
