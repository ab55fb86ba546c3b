//! What all connections share: who may come in, randomness, the jobs that are under way, and the counts.

use alloc::collections::{BTreeMap, BTreeSet};

use super::SessionCounters;
use super::admission::Admission;
use super::handshake::Gate;
use crate::identity::PeerId;
use crate::io::StreamId;
use crate::job::{JobId, Task};
use crate::outbox::Outbox;
use crate::random::{SecretStream, Seed, Stream};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) own: PeerId,
    pub(super) gate: Gate,
    pub(super) admission: Admission,
    pub(super) ephemeral: SecretStream,
    pub(super) sids: Stream,
    pub(super) jobs: Jobs,
    pub(super) counters: SessionCounters,
}

/// The jobs whose results are waited for. Each stream bounds how many it has, and those of one that is gone are forgotten.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_id: BTreeMap<JobId, StreamId>,
    by_stream: BTreeSet<(StreamId, JobId)>,
}

impl Desk {
    pub(super) fn new(own: PeerId, seed: &Seed, now: Instant) -> Self {
        Self {
            own,
            gate: Gate::new(own, seed.stream("session.cookie")),
            admission: Admission::new(now),
            ephemeral: seed.secrets("session.ephemeral"),
            sids: seed.stream("session.sid"),
            jobs: Jobs::default(),
            counters: SessionCounters::default(),
        }
    }
}

impl Jobs {
    /// Asks for a job whose result is this stream's.
    pub(super) fn ask(&mut self, stream: StreamId, task: Task, out: &mut Outbox) -> JobId {
        let id = out.job(task);
        self.by_id.insert(id, stream);
        self.by_stream.insert((stream, id));
        id
    }

    pub(super) fn contains(&self, job: JobId) -> bool {
        self.by_id.contains_key(&job)
    }

    /// Whose result this is; nobody's a second time.
    pub(super) fn take(&mut self, job: JobId) -> Option<StreamId> {
        let stream = self.by_id.remove(&job)?;
        self.by_stream.remove(&(stream, job));
        Some(stream)
    }

    pub(super) fn forget(&mut self, stream: StreamId) {
        while let Some(key @ (_, job)) = self.by_stream.range((stream, JobId(0))..).next().copied() {
            if key.0 != stream {
                return;
            }
            self.by_stream.remove(&key);
            self.by_id.remove(&job);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.by_stream.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;

    #[test]
    fn the_jobs_of_a_stream_that_is_gone_are_forgotten_and_no_others() {
        let (mut jobs, mut out) = (Jobs::default(), Outbox::default());
        let mut ask = |jobs: &mut Jobs, stream| {
            jobs.ask(stream, Task::Dh { secret: Secret::from_bytes([1; 32]), public: None }, &mut out)
        };
        let (a, b) = (StreamId::Accepted(1), StreamId::Accepted(2));
        let ids = [ask(&mut jobs, a), ask(&mut jobs, b), ask(&mut jobs, a), ask(&mut jobs, StreamId::Dialled(1))];
        jobs.forget(a);
        assert_eq!(ids.map(|id| jobs.contains(id)), [false, true, false, true]);
        assert_eq!((jobs.take(ids[1]), jobs.take(ids[1])), (Some(b), None));
        assert_eq!((jobs.by_id.len(), jobs.by_stream.len()), (1, 1), "what was taken is not remembered");
        let id = ask(&mut jobs, b);
        jobs.forget(b);
        assert!(!jobs.contains(id) && !jobs.is_empty());
        jobs.forget(StreamId::Dialled(1));
        assert!(jobs.is_empty());
    }
}
