//! Events on their way from the driver to whoever subscribed: each subscriber has a bounded queue of its own, so that a
//! slow one loses its oldest events, is told how many, and holds up nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use landfall_core::Event;
use landfall_driver::{Backlog, Notice};
use smol::channel::{Receiver, Sender, bounded};

/// How many events wait for a subscriber before the oldest are lost.
const BACKLOG: usize = 1024;

/// The events of a node from the moment of subscription on. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Events {
    mailbox: Arc<Mailbox>,
    filled: Receiver<()>,
}

impl Events {
    /// The next event, or `None` when the node is gone and everything it said was read.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.try_next() {
                return Some(notice);
            }
            if self.filled.recv().await.is_err() {
                return self.try_next();
            }
        }
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Notice> {
        self.mailbox.lock().pop()
    }
}

/// All subscriptions of a node. Clones of an `Arc` of it are with the driver and every handle.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    entries: Vec<(Weak<Mailbox>, Sender<()>)>,
    over: bool,
}

#[derive(Debug)]
struct Mailbox(Mutex<Backlog>);

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscribers {
    pub(crate) fn subscribe(&self) -> Events {
        let mailbox = Arc::new(Mailbox(Mutex::new(Backlog::new(BACKLOG))));
        let (fill, filled) = bounded(1);
        let mut list = self.lock();
        if !list.over {
            list.entries.push((Arc::downgrade(&mailbox), fill));
        }
        Events { mailbox, filled }
    }

    pub(crate) fn publish(&self, event: &Event) {
        self.lock().entries.retain(|(mailbox, fill)| {
            let Some(mailbox) = mailbox.upgrade() else { return false };
            mailbox.lock().push(event.clone());
            // Full means that the subscriber is about to be woken anyway.
            let _ = fill.try_send(());
            true
        });
    }

    /// Ends all subscriptions, now and to come.
    pub(crate) fn close(&self) {
        let mut list = self.lock();
        list.over = true;
        list.entries.clear();
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use smol::future::block_on;

    use super::*;

    fn event(interface: u32) -> Event {
        Event::Withdrawn { interface, name: "eth0".to_owned() }
    }

    #[test]
    fn every_subscriber_gets_every_event_in_order() {
        let subscribers = Subscribers::default();
        let mut readers = [subscribers.subscribe(), subscribers.subscribe()];
        (0..10).for_each(|n| subscribers.publish(&event(n)));
        for reader in &mut readers {
            for n in 0..10 {
                assert_eq!(block_on(reader.next()), Some(Notice::Event(event(n))));
            }
        }
    }

    #[test]
    fn a_slow_subscriber_is_told_how_many_events_it_missed_and_then_gets_the_newest() {
        let subscribers = Subscribers::default();
        let mut slow = subscribers.subscribe();
        let total = BACKLOG as u32 + 7;
        (0..total).for_each(|n| subscribers.publish(&event(n)));
        assert_eq!(slow.try_next(), Some(Notice::Missed(7)));
        assert_eq!(slow.try_next(), Some(Notice::Event(event(7))));
        assert_eq!(std::iter::from_fn(|| slow.try_next()).last(), Some(Notice::Event(event(total - 1))));
    }

    #[test]
    fn a_subscriber_that_waits_is_woken() {
        let subscribers = Arc::new(Subscribers::default());
        let mut reader = subscribers.subscribe();
        let publisher = Arc::clone(&subscribers);
        let thread = std::thread::spawn(move || publisher.publish(&event(5)));
        assert_eq!(block_on(reader.next()), Some(Notice::Event(event(5))));
        thread.join().unwrap();
    }

    #[test]
    fn what_was_published_before_the_end_is_still_read_after_it() {
        let subscribers = Subscribers::default();
        let mut reader = subscribers.subscribe();
        subscribers.publish(&event(1));
        subscribers.close();
        assert_eq!(block_on(reader.next()), Some(Notice::Event(event(1))));
        assert_eq!(block_on(reader.next()), None);
        assert_eq!(block_on(subscribers.subscribe().next()), None);
    }

    #[test]
    fn a_dropped_subscription_costs_nothing_any_more() {
        let subscribers = Subscribers::default();
        drop(subscribers.subscribe());
        subscribers.publish(&event(1));
        assert!(subscribers.lock().entries.is_empty());
    }
}
