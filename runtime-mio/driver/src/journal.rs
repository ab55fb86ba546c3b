//! Writes records one after the other, on a thread of its own or on the loop, and says when each is durable.
//!
//! Writes and acknowledgements keep the order of the requests. A record that a later one of the same key has already
//! replaced is not written any more, so that a store which is slow or failing costs one value per key and no more.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use landfall_core::{CommitId, Record};
use tracing::{error, info};

use crate::results::{Done, Results};
use crate::store::Store;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// The loop's end. Dropping it lets a thread write what it has, once, and end.
pub(crate) enum Journal {
    Elsewhere(mpsc::Sender<(CommitId, Record)>),
    Here(Box<Here>),
}

/// A store that is written to on the loop.
pub(crate) struct Here {
    store: Box<dyn Store>,
    queue: Queue,
    failing: Option<Duration>,
    retry: Option<Instant>,
}

impl Journal {
    /// Writes on a thread, which tells of every record, and in the end that it has done what it could.
    pub(crate) fn elsewhere(store: Box<dyn Store>, results: Results) -> io::Result<Self> {
        let (requests, incoming) = mpsc::channel();
        thread::Builder::new().name("landfall-store".to_owned()).spawn(move || {
            let ending = Ending(results);
            Writer { store, incoming, results: &ending.0, queue: Queue::default() }.run();
        })?;
        Ok(Self::Elsewhere(requests))
    }

    /// Writes when [`Journal::write`] is called.
    pub(crate) fn here(store: Box<dyn Store>) -> Self {
        Self::Here(Box::new(Here { store, queue: Queue::default(), failing: None, retry: None }))
    }

    pub(crate) fn put(&mut self, id: CommitId, record: Record) {
        match self {
            // The thread ends only after this end is gone, so a send that fails means that the store panicked: it said so.
            Self::Elsewhere(requests) => drop(requests.send((id, record))),
            Self::Here(here) => here.queue.push(id, &record),
        }
    }

    /// The next record that is durable now, of those written on the loop.
    pub(crate) fn write(&mut self, now: Instant) -> Option<CommitId> {
        let Self::Here(here) = self else { return None };
        if here.queue.is_empty() || here.retry.is_some_and(|retry| retry > now) {
            return None;
        }
        let written = here.queue.write_first(&mut *here.store);
        match &written {
            Ok(_) => works_again(&mut here.failing),
            Err(problem) => here.retry = Some(now + fails(&mut here.failing, problem)),
        }
        written.ok()
    }

    /// When [`Journal::write`] should be called although nothing else happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Elsewhere(_) => None,
            Self::Here(here) => here.retry.filter(|_| !here.queue.is_empty()),
        }
    }

    /// How many records are lost if nothing more is written.
    pub(crate) fn unwritten(&self) -> usize {
        match self {
            Self::Elsewhere(_) => 0,
            Self::Here(here) => here.queue.order.len(),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("unwritten", &self.unwritten()).finish_non_exhaustive()
    }
}

fn works_again(failing: &mut Option<Duration>) {
    if failing.take().is_some() {
        info!("records are stored again");
    }
}

/// After how long to try again.
fn fails(failing: &mut Option<Duration>, problem: &io::Error) -> Duration {
    if failing.is_none() {
        error!("a record cannot be stored: {problem}; it is tried again until it can");
    }
    *failing.insert(failing.map_or(FIRST_RETRY, |delay| (delay * 2).min(LAST_RETRY)))
}

/// Tells that the thread ends, also when it panics.
struct Ending(Results);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.tell(Done::Stored);
    }
}

struct Writer<'r> {
    store: Box<dyn Store>,
    incoming: Receiver<(CommitId, Record)>,
    results: &'r Results,
    queue: Queue,
}

impl Writer<'_> {
    fn run(mut self) {
        let mut failing: Option<Duration> = None;
        while self.fill(failing) {
            match self.queue.write_first(&mut *self.store) {
                Ok(id) => {
                    works_again(&mut failing);
                    self.results.tell(Done::Persisted(id));
                }
                Err(problem) => drop(fails(&mut failing, &problem)),
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

    use std::task::Waker;

    use landfall_core::PeerId;

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
        let (results, done) = Results::new(Waker::noop().clone());
        let store = Box::new(Flaky { failures, log: Arc::clone(&log) });
        let mut journal = Journal::elsewhere(store, results).unwrap();
        for (id, record) in records.iter().enumerate() {
            journal.put(CommitId(id as u64), record.clone());
        }
        let persisted = |_| match done.recv().unwrap() {
            Done::Persisted(CommitId(id)) => id,
            other => panic!("{other:?}"),
        };
        let acknowledged = records.iter().map(persisted).collect();
        drop(journal);
        assert!(matches!(done.recv(), Ok(Done::Stored)));
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
        let (results, done) = Results::new(Waker::noop().clone());
        let store = Flaky { failures: usize::MAX, log: Log::default() };
        let mut journal = Journal::elsewhere(Box::new(store), results).unwrap();
        journal.put(CommitId(0), Record::Epoch(1));
        let started = Instant::now();
        drop(journal);
        assert!(matches!(done.recv(), Ok(Done::Stored)));
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn a_store_without_a_thread_is_written_to_when_it_is_asked_and_tried_again_later() {
        let log = Log::default();
        let mut journal = Journal::here(Box::new(Flaky { failures: 1, log: Arc::clone(&log) }));
        let now = Instant::now();
        journal.put(CommitId(4), forgotten(1));
        assert_eq!((journal.write(now), journal.unwritten()), (None, 1));
        let retry = journal.deadline().unwrap();
        assert_eq!(retry, now + FIRST_RETRY);
        assert_eq!(journal.write(now), None, "not before it is time");
        assert_eq!(journal.write(retry), Some(CommitId(4)));
        assert_eq!((journal.deadline(), journal.unwritten(), log.lock().unwrap().len()), (None, 0, 1));
    }
}
