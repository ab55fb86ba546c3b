//! Frames that wait for their signature. Those with a sequence number leave in its order, whenever their signatures come:
//! a receiver drops a frame that a later one has overtaken.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::io::{Channel, Event, Transmit, Warning};
use crate::job::{JobId, JobOutput, Task};
use crate::outbox::Outbox;

/// How many may wait in each of the two waiting rooms; over it the newest is not sent.
const CAPACITY: usize = 1024;

/// The waiting rooms.
#[derive(Debug, Default)]
pub(crate) struct UnsignedFrames {
    in_order: VecDeque<(JobId, State)>,
    in_any_order: BTreeMap<JobId, UnsignedFrame>,
    /// The last signature failed, and that was said.
    failing: bool,
}

/// A frame but for its signature, and where it goes.
#[derive(Debug)]
pub(crate) struct UnsignedFrame {
    pub(crate) interface: u32,
    pub(crate) destination: SocketAddr,
    pub(crate) frame: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Waiting(UnsignedFrame),
    Signed(UnsignedFrame),
    Failed,
}

impl UnsignedFrames {
    pub(crate) fn has_room(&self) -> bool {
        self.in_order.len() < CAPACITY && self.in_any_order.len() < CAPACITY
    }

    /// Has `message` signed for a frame that must leave after all that were queued before it.
    pub(crate) fn queue(&mut self, frame: UnsignedFrame, message: Vec<u8>, out: &mut Outbox) {
        let job = out.job(Task::Sign { message });
        self.in_order.push_back((job, State::Waiting(frame)));
    }

    /// Has `message` signed for a frame that may leave as soon as it can.
    pub(crate) fn send_soon(&mut self, frame: UnsignedFrame, message: Vec<u8>, out: &mut Outbox) {
        let job = out.job(Task::Sign { message });
        self.in_any_order.insert(job, frame);
    }

    /// A signature is there, or is not to be had: whatever can leave now does.
    pub(crate) fn signed(&mut self, job: JobId, output: JobOutput, out: &mut Outbox) {
        let signature = match output {
            JobOutput::Signed(signature) => Some(signature),
            JobOutput::SigningFailed
            | JobOutput::Verified(_)
            | JobOutput::PublicKey(_)
            | JobOutput::Agreed(_)
            | JobOutput::Sealed(_)
            | JobOutput::Opened(_) => None,
        };
        let said = core::mem::replace(&mut self.failing, signature.is_none());
        if self.failing && !said {
            out.event(Event::Warning(Warning::SigningFailed));
        }
        if let Some(frame) = self.in_any_order.remove(&job) {
            if let Some(signature) = signature {
                send(frame.with(&signature), out);
            }
            return;
        }
        if let Some((_, state)) = self.in_order.iter_mut().find(|(waiting, _)| *waiting == job)
            && let State::Waiting(frame) = core::mem::replace(state, State::Failed)
            && let Some(signature) = signature
        {
            *state = State::Signed(frame.with(&signature));
        }
        while let Some((_, state)) = self.in_order.pop_front_if(|(_, state)| !matches!(state, State::Waiting(_))) {
            if let State::Signed(frame) = state {
                send(frame, out);
            }
        }
    }
}

impl UnsignedFrame {
    fn with(mut self, signature: &[u8; 64]) -> Self {
        self.frame.extend_from_slice(signature);
        self
    }
}

fn send(frame: UnsignedFrame, out: &mut Outbox) {
    out.transmit(Transmit {
        channel: Channel::Beacon,
        interface: frame.interface,
        destination: frame.destination,
        payload: frame.frame.into(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Action;

    fn sent(out: &mut Outbox) -> Vec<u8> {
        core::iter::from_fn(|| out.pop())
            .filter_map(|action| match action {
                Action::Transmit(transmit) => transmit.payload.first().copied(),
                Action::Job(_) | Action::Stream(..) | Action::Persist(..) | Action::Event(_) => None,
            })
            .collect()
    }

    #[test]
    fn frames_leave_in_their_order_whenever_their_signatures_come() {
        let mut frames = UnsignedFrames::default();
        let mut out = Outbox::default();
        let frame = |number| UnsignedFrame {
            interface: 1,
            destination: SocketAddr::from(([10, 0, 0, 1], 1)),
            frame: alloc::vec![number],
        };
        for number in 0..4 {
            frames.queue(frame(number), alloc::vec![number], &mut out);
        }
        frames.send_soon(frame(9), alloc::vec![9], &mut out);
        let mut done = |job, output| {
            frames.signed(JobId(job), output, &mut out);
            sent(&mut out)
        };
        assert_eq!(done(2, JobOutput::Signed([0; 64])), []);
        assert_eq!(done(4, JobOutput::Signed([0; 64])), [9], "an answer does not wait");
        assert_eq!(done(0, JobOutput::Signed([0; 64])), [0]);
        assert_eq!(done(1, JobOutput::SigningFailed), [2], "one that cannot be signed holds nobody up");
        assert_eq!(done(1, JobOutput::Signed([0; 64])), [], "a result that comes twice does nothing");
        assert_eq!(done(3, JobOutput::Signed([0; 64])), [3]);
    }
}
