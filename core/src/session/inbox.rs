//! Messages that were received: each is stored before it is acknowledged and shown, and the last of them are kept.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;

use bytes::Bytes;

use crate::identity::PeerId;
use crate::outbox::Outbox;
use crate::record::{CommitId, Record};
use crate::session::types::{Message, MessageId};
use crate::time::UnixTime;

/// What is kept: so many messages, of so many bytes in all. The oldest go.
const MAX_MESSAGES: usize = 256;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that wait to be stored, of all peers together. Each has its credit, but keys are had for nothing.
const MAX_WAITING: usize = 32 * 1024 * 1024;
/// Messages that wait: empty ones take room too.
const MAX_WAITING_MESSAGES: usize = 16 * 1024;

/// What was received. What waits to be stored is bounded by the credit that each peer has.
#[derive(Debug)]
pub(super) struct Inbox {
    kept: BTreeMap<u64, Message>,
    bytes: usize,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    next: u64,
}

/// More waits to be stored than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InboxFull;

#[derive(Debug)]
struct Waiting {
    commit: CommitId,
    message: Message,
    stored: bool,
    /// Its sender does not count any more.
    dropped: bool,
}

impl Inbox {
    /// With what was kept last time.
    pub(super) fn new(records: &[Record]) -> Self {
        let messages = records.iter().filter_map(|record| match record {
            Record::Message(message) => Some((message.number, message.clone())),
            Record::Epoch(_)
            | Record::Peer(_)
            | Record::Forgotten(_)
            | Record::Revocation(_)
            | Record::RevocationGone(_)
            | Record::MessageGone(_) => None,
        });
        let kept: BTreeMap<u64, Message> = messages.collect();
        let next = kept.last_key_value().map_or(1, |(last, _)| last.saturating_add(1));
        let bytes = kept.values().map(|message| message.body.len()).sum();
        Self { kept, bytes, waiting: VecDeque::new(), waiting_bytes: 0, next }
    }

    /// Has a message stored. Whether it came before is the conversation's matter.
    ///
    /// # Errors
    /// When the disk is so far behind that no more may wait; nothing was taken then.
    pub(super) fn receive(
        &mut self,
        from: PeerId,
        id: MessageId,
        body: Bytes,
        received: UnixTime,
        out: &mut Outbox,
    ) -> Result<(), InboxFull> {
        let bytes = self.waiting_bytes.saturating_add(body.len());
        if bytes > MAX_WAITING || self.waiting.len() >= MAX_WAITING_MESSAGES {
            return Err(InboxFull);
        }
        self.waiting_bytes = bytes;
        let message = Message { number: self.next, id, from, received, body };
        self.next = self.next.saturating_add(1);
        let commit = out.persist(Record::Message(message.clone()));
        self.waiting.push_back(Waiting { commit, message, stored: false, dropped: false });
        Ok(())
    }

    /// Something is stored: the messages that may be acknowledged and shown for it, in the order in which they came.
    pub(super) fn persisted(&mut self, commit: CommitId, out: &mut Outbox) -> Vec<Message> {
        if let Ok(at) = self.waiting.binary_search_by_key(&commit, |waiting| waiting.commit)
            && let Some(waiting) = self.waiting.get_mut(at)
        {
            waiting.stored = true;
        }
        let mut released = Vec::new();
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.stored) {
            let Waiting { message, dropped, .. } = waiting;
            self.waiting_bytes = self.waiting_bytes.saturating_sub(message.body.len());
            if dropped {
                out.persist(Record::MessageGone(message.number));
                continue;
            }
            self.bytes = self.bytes.saturating_add(message.body.len());
            released.push(message.clone());
            self.kept.insert(message.number, message);
            self.evict(out);
        }
        released
    }

    /// What this peer sent and is not shown yet will not be.
    pub(super) fn drop_waiting(&mut self, from: &PeerId) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.message.from == *from) {
            waiting.dropped = true;
        }
    }

    /// What is kept, oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.kept.values()
    }

    /// The oldest of the peer that has most goes, so that nobody pushes out what others said.
    fn evict(&mut self, out: &mut Outbox) {
        while self.kept.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            let too_many = self.kept.len() > MAX_MESSAGES;
            let mut shares: BTreeMap<PeerId, (usize, u64)> = BTreeMap::new();
            for message in self.kept.values() {
                let (share, _) = shares.entry(message.from).or_insert((0, message.number));
                *share = share.saturating_add(if too_many { 1 } else { message.body.len() });
            }
            let greediest = shares.values().max_by_key(|(share, oldest)| (*share, Reverse(*oldest)));
            let Some((_, number)) = greediest.copied() else { return };
            let gone = self.kept.remove(&number).map_or(0, |message| message.body.len());
            self.bytes = self.bytes.saturating_sub(gone);
            out.persist(Record::MessageGone(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::io::Action;

    const WALL: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn peer(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    fn body(length: usize) -> Bytes {
        Bytes::from(vec![7; length])
    }

    fn persists(out: &mut Outbox) -> Vec<(CommitId, Record)> {
        core::iter::from_fn(|| out.pop())
            .filter_map(
                |action| if let Action::Persist(commit, record) = action { Some((commit, record)) } else { None },
            )
            .collect()
    }

    fn numbers(messages: &[Message]) -> Vec<u64> {
        messages.iter().map(|message| message.number).collect()
    }

    #[test]
    fn messages_are_released_in_their_order_whenever_they_are_stored() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        for id in 0..3 {
            assert_eq!(inbox.receive(peer(1), [id; 16], body(1), WALL, &mut out), Ok(()));
        }
        let commits = persists(&mut out);
        assert_eq!(inbox.messages().count(), 0, "nothing is shown before it is stored");
        assert!(inbox.persisted(commits[2].0, &mut out).is_empty());
        assert_eq!(numbers(&inbox.persisted(commits[0].0, &mut out)), [1]);
        assert_eq!(numbers(&inbox.persisted(commits[1].0, &mut out)), [2, 3]);
        assert!(inbox.persisted(commits[1].0, &mut out).is_empty());
        assert_eq!(inbox.messages().map(|message| message.number).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn the_last_256_are_kept_and_of_them_what_fits_in_4_mib() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        let receive = |inbox: &mut Inbox, out: &mut Outbox, number: u16, length: usize| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            assert_eq!(inbox.receive(peer(1), id, body(length), WALL, out), Ok(()));
            let (commit, _) = persists(out).remove(0);
            inbox.persisted(commit, out);
            persists(out).into_iter().map(|(_, record)| record).collect::<Vec<_>>()
        };
        for number in 1..=256 {
            assert_eq!(receive(&mut inbox, &mut out, number, 1), []);
        }
        assert_eq!(receive(&mut inbox, &mut out, 257, 1), [Record::MessageGone(1)]);
        assert_eq!(receive(&mut inbox, &mut out, 258, MAX_BYTES - 255), [Record::MessageGone(2)]);
        assert_eq!(inbox.messages().count(), 256);
        assert_eq!(receive(&mut inbox, &mut out, 259, 2), [Record::MessageGone(3), Record::MessageGone(4)]);
        assert_eq!(inbox.bytes, MAX_BYTES);
        let gone = receive(&mut inbox, &mut out, 260, MAX_BYTES);
        assert_eq!((gone.len(), inbox.messages().count(), inbox.bytes), (255, 1, MAX_BYTES));
    }

    #[test]
    fn what_was_kept_is_there_again_and_the_numbers_go_on() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        inbox.receive(peer(1), [1; 16], body(10), WALL, &mut out).unwrap();
        inbox.receive(peer(1), [2; 16], body(10), WALL, &mut out).unwrap();
        let records: Vec<Record> = persists(&mut out).into_iter().map(|(_, record)| record).collect();
        let mut inbox = Inbox::new(&[records.as_slice(), &[Record::Epoch(9)]].concat());
        assert_eq!((inbox.messages().count(), inbox.bytes), (2, 20));
        inbox.receive(peer(2), [1; 16], body(10), WALL, &mut out).unwrap();
        let (commit, _) = persists(&mut out).remove(0);
        assert_eq!(numbers(&inbox.persisted(commit, &mut out)), [3]);
    }

    #[test]
    fn what_a_peer_sent_is_not_shown_once_it_does_not_count_any_more() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        inbox.receive(peer(1), [1; 16], body(1), WALL, &mut out).unwrap();
        inbox.receive(peer(2), [2; 16], body(1), WALL, &mut out).unwrap();
        let commits = persists(&mut out);
        inbox.drop_waiting(&peer(1));
        assert!(inbox.persisted(commits[0].0, &mut out).is_empty());
        let gone: Vec<Record> = persists(&mut out).into_iter().map(|(_, record)| record).collect();
        assert_eq!(gone, [Record::MessageGone(1)]);
        assert_eq!(numbers(&inbox.persisted(commits[1].0, &mut out)), [2]);
    }

    #[test]
    fn who_sends_much_pushes_out_his_own_and_nobody_elses() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        let mut receive = |from: u8, id: u16, length: usize| {
            let mut name = [0; 16];
            name[..2].copy_from_slice(&id.to_be_bytes());
            inbox.receive(peer(from), name, body(length), WALL, &mut out).unwrap();
            let (commit, _) = persists(&mut out).remove(0);
            inbox.persisted(commit, &mut out);
            persists(&mut out);
            inbox.messages().filter(|message| message.from == peer(1)).count()
        };
        assert_eq!(receive(1, 0, 100), 1);
        assert!((0..1000).all(|id| receive(2, id, 0) == 1), "with messages that cost nothing");
        assert!((1000..1020).all(|id| receive(3, id, 1024 * 1024) == 1), "with large ones");
    }

    #[test]
    fn when_there_are_too_many_bytes_who_has_most_of_them_gives_way_and_not_who_has_most_messages() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        let mut receive = |inbox: &mut Inbox, from: u8, id: u16, length: usize| {
            let mut name = [0; 16];
            name[..2].copy_from_slice(&id.to_be_bytes());
            inbox.receive(peer(from), name, body(length), WALL, &mut out).unwrap();
            let (commit, _) = persists(&mut out).remove(0);
            inbox.persisted(commit, &mut out);
            persists(&mut out).into_iter().map(|(_, record)| record).collect::<Vec<_>>()
        };
        // 256 messages in all, of which the second peer has few and large ones.
        for id in 0..252 {
            assert_eq!(receive(&mut inbox, 1, id, 1), []);
        }
        for id in 252..255 {
            assert_eq!(receive(&mut inbox, 2, id, 1024 * 1024), []);
        }
        assert_eq!(receive(&mut inbox, 2, 255, 1024 * 1024 - 252), [], "4 MiB to the byte");
        assert_eq!(receive(&mut inbox, 1, 256, 0), [Record::MessageGone(1)], "one too many");
        assert_eq!(receive(&mut inbox, 1, 257, 0), [Record::MessageGone(2)]);
        let gone = Record::MessageGone(253);
        let mut full = Inbox::new(&[]);
        for id in 0..200 {
            receive(&mut full, 1, id, 1);
        }
        for id in 200..204 {
            assert_eq!(receive(&mut full, 2, id, 1024 * 1024 - 50), []);
        }
        assert_eq!(receive(&mut full, 3, 204, 1), [Record::MessageGone(201)]);
        for id in 205..256 {
            receive(&mut full, 3, id, 0);
        }
        assert_eq!(full.messages().count(), 255);
        assert_eq!(receive(&mut full, 3, 256, 1024 * 1024), [Record::MessageGone(202)], "of 256 messages");
        assert!(inbox.messages().any(|message| Record::MessageGone(message.number) == gone));
    }

    #[test]
    fn what_waits_for_the_disk_is_bounded_and_what_does_not_fit_is_not_taken() {
        let (mut inbox, mut out) = (Inbox::new(&[]), Outbox::default());
        for id in 0..32 {
            assert_eq!(inbox.receive(peer(id), [id; 16], body(1024 * 1024), WALL, &mut out), Ok(()));
        }
        let commits = persists(&mut out);
        assert_eq!(inbox.receive(peer(99), [99; 16], body(1), WALL, &mut out), Err(InboxFull));
        assert!(persists(&mut out).is_empty());
        inbox.persisted(commits[0].0, &mut out);
        assert_eq!(inbox.receive(peer(99), [99; 16], body(1), WALL, &mut out), Ok(()));

        let mut inbox = Inbox::new(&[]);
        for number in 0..16 * 1024_u32 {
            let id = [number.to_be_bytes(); 4].concat().try_into().unwrap();
            assert_eq!(inbox.receive(peer(1), id, Bytes::new(), WALL, &mut out), Ok(()), "empty ones count too");
        }
        assert_eq!(inbox.receive(peer(1), [99; 16], Bytes::new(), WALL, &mut out), Err(InboxFull));
    }
}
