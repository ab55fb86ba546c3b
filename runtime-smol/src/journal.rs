//! Writes records one after the other on a thread of its own, and says when each is durable.
//!
//! Writes and acknowledgements keep the order of the requests. A record that a later one of the same key has already
//! replaced is not written any more, so that a store which is slow or failing costs one value per key and no more.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use landfall_core::{CommitId, Record};
use smol::channel::Sender;
use tracing::{error, info};

use crate::driver::Done;
use crate::store::Store;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How long a node that stops waits for its last records.
const PATIENCE: Duration = Duration::from_secs(2);

/// The driver's end of the thread. Dropping it lets the thread write what it has, once, and end.
#[derive(Debug)]
pub(crate) struct Journal {
    requests: mpsc::Sender<(CommitId, Record)>,
    ended: smol::channel::Receiver<()>,
}

impl Journal {
    pub(crate) fn start(store: Box<dyn Store>, done: Sender<Done>) -> io::Result<Self> {
        let (requests, incoming) = mpsc::channel();
        let (ending, ended) = smol::channel::bounded(1);
        thread::Builder::new().name("landfall-store".to_owned()).spawn(move || {
            Writer { store, incoming, done, queue: Queue::default() }.run();
            drop(ending);
        })?;
        Ok(Self { requests, ended })
    }

    pub(crate) fn put(&self, id: CommitId, record: Record) {
        // The thread ends only after this end is gone, so a send that fails means that the store panicked: it said so.
        let _ = self.requests.send((id, record));
    }

    /// Waits until what was put is stored, at most two seconds.
    pub(crate) async fn close(self) {
        let Self { requests, ended } = self;
        drop(requests);
        let written = async {
            let _ = ended.recv().await;
        };
        let impatience = async {
            smol::Timer::after(PATIENCE).await;
            error!("the store did not finish within {PATIENCE:?}; the last records may be lost");
        };
        smol::future::or(written, impatience).await;
    }
}

struct Writer {
    store: Box<dyn Store>,
    incoming: Receiver<(CommitId, Record)>,
    done: Sender<Done>,
    queue: Queue,
}

impl Writer {
    fn run(mut self) {
        let mut failing: Option<Duration> = None;
        while self.fill(failing) {
            match self.queue.write_first(&mut *self.store) {
                Ok(id) => {
                    if failing.take().is_some() {
                        info!("records are stored again");
                    }
                    let _ = self.done.try_send(Done::Persisted(id));
                }
                Err(problem) => {
                    if failing.is_none() {
                        error!("a record cannot be stored: {problem}; it is tried again until it can");
                    }
                    failing = Some(failing.map_or(FIRST_RETRY, |delay| (delay * 2).min(LAST_RETRY)));
                }
            }
        }
    }

    /// Waits for something to write, or out the delay after a failure. False when all is over.
    fn fill(&mut self, failing: Option<Duration>) -> bool {
        let Some(delay) = failing else {
            if self.queue.is_empty() {
                match self.incoming.recv() {
                    Ok((id, record)) => self.queue.push(id, &record),
                    Err(mpsc::RecvError) => return false,
                }
            }
            self.incoming.try_iter().for_each(|(id, record)| self.queue.push(id, &record));
            return true;
        };
        let retry = Instant::now() + delay;
        loop {
            match self.incoming.recv_timeout(retry.saturating_duration_since(Instant::now())) {
                Ok((id, record)) => self.queue.push(id, &record),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => {
                    let lost = self.queue.order.len();
                    error!("the node stops and {lost} records are not stored");
                    return false;
                }
            }
        }
    }
}

/// What is to be written: the order of the requests, and for each key only the newest value.
#[derive(Default)]
struct Queue {
    order: VecDeque<(CommitId, String)>,
    values: BTreeMap<String, Option<Vec<u8>>>,
}

impl Queue {
    fn push(&mut self, id: CommitId, record: &Record) {
        let key = record.key();
        self.values.insert(key.clone(), record.encode());
        self.order.push_back((id, key));
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Writes what the first request asks for, unless a later value of its key is written already.
    fn write_first(&mut self, store: &mut dyn Store) -> io::Result<CommitId> {
        let (id, key) = self.order.front().ok_or(io::ErrorKind::NotFound)?;
        if let Some(value) = self.values.get(key) {
            store.put(key, value.as_deref())?;
            self.values.remove(key);
        }
        let id = *id;
        self.order.pop_front();
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use landfall_core::PeerId;
    use smol::channel::unbounded;
    use smol::future::block_on;

    use super::*;

    type Log = Arc<Mutex<Vec<(String, bool)>>>;

    /// Refuses the first `failures` writes, then logs.
    struct Flaky {
        failures: usize,
        log: Log,
    }

    impl Store for Flaky {
        fn put(&mut self, key: &str, value: Option<&[u8]>) -> io::Result<()> {
            if self.failures > 0 {
                self.failures -= 1;
                return Err(io::Error::other("/somewhere/epoch: disk full; make room"));
            }
            self.log.lock().unwrap().push((key.to_owned(), value.is_some()));
            Ok(())
        }
    }

    fn forgotten(byte: u8) -> Record {
        Record::Forgotten(PeerId::from_bytes([byte; 32]))
    }

    fn run(failures: usize, records: &[Record]) -> (Vec<u64>, Log) {
        let log = Log::default();
        let (done, results) = unbounded();
        let journal = Journal::start(Box::new(Flaky { failures, log: Arc::clone(&log) }), done).unwrap();
        for (id, record) in records.iter().enumerate() {
            journal.put(CommitId(id as u64), record.clone());
        }
        let acknowledged = block_on(async {
            let mut ids = Vec::new();
            for _ in records {
                match results.recv().await.unwrap() {
                    Done::Persisted(CommitId(id)) => ids.push(id),
                    Done::Job(_) => unreachable!(),
                }
            }
            journal.close().await;
            ids
        });
        (acknowledged, log)
    }

    #[test]
    fn records_are_written_and_acknowledged_in_order() {
        let (ids, log) = run(0, &[forgotten(3), forgotten(1), forgotten(2)]);
        assert_eq!(ids, [0, 1, 2]);
        let keys: Vec<String> = log.lock().unwrap().iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(keys, [forgotten(3).key(), forgotten(1).key(), forgotten(2).key()]);
    }

    #[test]
    fn a_store_that_fails_is_tried_again_until_it_works() {
        let (ids, log) = run(2, &[forgotten(1), forgotten(2)]);
        assert_eq!(ids, [0, 1]);
        assert_eq!(log.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_record_that_was_replaced_while_the_store_failed_is_written_once_and_acknowledged_twice() {
        let (ids, log) = run(1, &[Record::Epoch(1), forgotten(1), Record::Epoch(2)]);
        assert_eq!(ids, [0, 1, 2]);
        let epochs = log.lock().unwrap().iter().filter(|(key, _)| key == "epoch").count();
        assert!((1..=2).contains(&epochs));
    }

    #[test]
    fn only_the_newest_value_of_a_key_is_kept() {
        let mut queue = Queue::default();
        (0..1000).for_each(|epoch| queue.push(CommitId(epoch), &Record::Epoch(epoch)));
        assert_eq!(queue.values.len(), 1);
    }

    #[test]
    fn a_store_that_never_works_does_not_keep_a_node_from_stopping() {
        let (done, _results) = unbounded();
        let store = Flaky { failures: usize::MAX, log: Log::default() };
        let journal = Journal::start(Box::new(store), done).unwrap();
        journal.put(CommitId(0), Record::Epoch(1));
        let started = Instant::now();
        block_on(journal.close());
        assert!(started.elapsed() < PATIENCE);
    }
}
