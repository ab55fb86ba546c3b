//! What the bytes of a script say, one step after the other.

/// A step. A `pipe` is a direction of one of the last eight streams: bit 0 is the end toward which it leads (0 the dialler's, 1
/// the listener's), the rest counts back from the newest stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Milliseconds pass.
    Wait(u16),
    /// Four times so many seconds pass.
    Sleep(u8),
    /// Everything arrives that is on its way, and what comes of it.
    Settle,
    /// Up to so many bytes and one arrive.
    Deliver {
        /// Where.
        pipe: u8,
        /// Bytes.
        most: u16,
    },
    /// A byte that is on its way is altered.
    Flip {
        /// Where.
        pipe: u8,
        /// Which byte.
        at: u16,
        /// By what.
        mask: u8,
    },
    /// A frame that is on its way is dropped.
    Drop {
        /// Where.
        pipe: u8,
        /// Which.
        frame: u8,
    },
    /// A frame that is on its way will arrive again after all others.
    Repeat {
        /// Where.
        pipe: u8,
        /// Which.
        frame: u8,
    },
    /// A frame that is on its way will arrive after all others.
    Postpone {
        /// Where.
        pipe: u8,
        /// Which.
        frame: u8,
    },
    /// Something that anybody has sent lately is sent again here.
    Replay {
        /// Where.
        pipe: u8,
        /// Which, from the last.
        which: u8,
    },
    /// A frame of this type, with a good length, full of one byte.
    Frame {
        /// Where.
        pipe: u8,
        /// Its type.
        kind: u8,
        /// Its length, where the type leaves a choice.
        length: u16,
        /// The byte.
        fill: u8,
    },
    /// Any bytes.
    Raw {
        /// Where.
        pipe: u8,
        /// The bytes.
        said: Vec<u8>,
    },
    /// A party is given a command.
    Command {
        /// Which party.
        party: u8,
        /// What.
        what: u8,
        /// How much.
        size: u8,
    },
    /// A party's jobs are held back from now on, or not any more.
    HoldJobs {
        /// Which party.
        party: u8,
        /// Whether.
        hold: bool,
    },
    /// One of a party's jobs is done.
    Job {
        /// Which party.
        party: u8,
        /// Which job.
        which: u8,
    },
    /// A party's disk is slow from now on, or not any more.
    HoldCommits {
        /// Which party.
        party: u8,
        /// Whether.
        hold: bool,
    },
    /// Nobody is told that bytes were sent, or they are again.
    HoldSent(bool),
    /// A stranger opens a stream to a party: the newest stream is his.
    Stranger {
        /// Which party.
        party: u8,
        /// From which host.
        host: u8,
    },
    /// A stream ends for the party at the end of this pipe.
    Close {
        /// Where.
        pipe: u8,
        /// How.
        how: u8,
    },
    /// Nobody accepts streams, or they do again.
    Refuse(bool),
    /// A party's process dies and starts again.
    Restart(u8),
    /// A party's cable is in or out.
    Links {
        /// Which party.
        party: u8,
        /// Whether.
        up: bool,
    },
    /// The wall clock is set ahead by hours.
    Wall(u8),
}

impl Step {
    /// Appends the step to a script.
    pub fn write(&self, script: &mut Vec<u8>) {
        let short = |script: &mut Vec<u8>, number: u16| script.extend(number.to_be_bytes());
        match self {
            Self::Wait(millis) => {
                script.push(0);
                short(script, *millis);
            }
            Self::Sleep(quarters) => script.extend([1, *quarters]),
            Self::Settle => script.push(2),
            Self::Deliver { pipe, most } => {
                script.extend([3, *pipe]);
                short(script, *most);
            }
            Self::Flip { pipe, at, mask } => {
                script.extend([4, *pipe]);
                short(script, *at);
                script.push(*mask);
            }
            Self::Drop { pipe, frame } => script.extend([5, *pipe, *frame]),
            Self::Repeat { pipe, frame } => script.extend([6, *pipe, *frame]),
            Self::Postpone { pipe, frame } => script.extend([7, *pipe, *frame]),
            Self::Replay { pipe, which } => script.extend([8, *pipe, *which]),
            Self::Frame { pipe, kind, length, fill } => {
                script.extend([9, *pipe, *kind]);
                short(script, *length);
                script.push(*fill);
            }
            Self::Raw { pipe, said } => {
                let length = u8::try_from(said.len()).unwrap_or(u8::MAX);
                script.extend([10, *pipe, length]);
                script.extend(&said[..length.into()]);
            }
            Self::Command { party, what, size } => script.extend([11, *party, *what, *size]),
            Self::HoldJobs { party, hold } => script.extend([12, *party, u8::from(*hold)]),
            Self::Job { party, which } => script.extend([13, *party, *which]),
            Self::HoldCommits { party, hold } => script.extend([14, *party, u8::from(*hold)]),
            Self::HoldSent(hold) => script.extend([15, u8::from(*hold)]),
            Self::Stranger { party, host } => script.extend([16, *party, *host]),
            Self::Close { pipe, how } => script.extend([17, *pipe, *how]),
            Self::Refuse(refuse) => script.extend([18, u8::from(*refuse)]),
            Self::Restart(party) => script.extend([19, *party]),
            Self::Links { party, up } => script.extend([20, *party, u8::from(*up)]),
            Self::Wall(hours) => script.extend([21, *hours]),
        }
    }

    /// Takes the next step off a script; `None` at its end.
    pub(super) fn read(script: &mut &[u8]) -> Option<Self> {
        fn byte(script: &mut &[u8]) -> Option<u8> {
            let (first, rest) = script.split_first()?;
            *script = rest;
            Some(*first)
        }
        fn short(script: &mut &[u8]) -> Option<u16> {
            Some(u16::from_be_bytes([byte(script)?, byte(script)?]))
        }
        fn flag(script: &mut &[u8]) -> Option<bool> {
            Some(byte(script)? & 1 == 1)
        }
        Some(match byte(script)? % 22 {
            0 => Self::Wait(short(script)?),
            1 => Self::Sleep(byte(script)?),
            2 => Self::Settle,
            3 => Self::Deliver { pipe: byte(script)?, most: short(script)? },
            4 => Self::Flip { pipe: byte(script)?, at: short(script)?, mask: byte(script)? },
            5 => Self::Drop { pipe: byte(script)?, frame: byte(script)? },
            6 => Self::Repeat { pipe: byte(script)?, frame: byte(script)? },
            7 => Self::Postpone { pipe: byte(script)?, frame: byte(script)? },
            8 => Self::Replay { pipe: byte(script)?, which: byte(script)? },
            9 => Self::Frame { pipe: byte(script)?, kind: byte(script)?, length: short(script)?, fill: byte(script)? },
            10 => {
                let (pipe, length) = (byte(script)?, byte(script)?);
                let (said, rest) = script.split_at(usize::from(length).min(script.len()));
                *script = rest;
                Self::Raw { pipe, said: said.to_vec() }
            }
            11 => Self::Command { party: byte(script)?, what: byte(script)?, size: byte(script)? },
            12 => Self::HoldJobs { party: byte(script)?, hold: flag(script)? },
            13 => Self::Job { party: byte(script)?, which: byte(script)? },
            14 => Self::HoldCommits { party: byte(script)?, hold: flag(script)? },
            15 => Self::HoldSent(flag(script)?),
            16 => Self::Stranger { party: byte(script)?, host: byte(script)? },
            17 => Self::Close { pipe: byte(script)?, how: byte(script)? },
            18 => Self::Refuse(flag(script)?),
            19 => Self::Restart(byte(script)?),
            20 => Self::Links { party: byte(script)?, up: flag(script)? },
            _ => Self::Wall(byte(script)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_back_as_it_was_written() {
        let steps = [
            Step::Wait(700),
            Step::Sleep(3),
            Step::Settle,
            Step::Deliver { pipe: 1, most: 2 },
            Step::Flip { pipe: 1, at: 259, mask: 3 },
            Step::Drop { pipe: 1, frame: 2 },
            Step::Repeat { pipe: 1, frame: 2 },
            Step::Postpone { pipe: 1, frame: 2 },
            Step::Replay { pipe: 1, which: 2 },
            Step::Frame { pipe: 1, kind: 2, length: 300, fill: 4 },
            Step::Raw { pipe: 1, said: vec![1, 2, 3] },
            Step::Command { party: 1, what: 2, size: 3 },
            Step::HoldJobs { party: 1, hold: true },
            Step::Job { party: 1, which: 2 },
            Step::HoldCommits { party: 1, hold: false },
            Step::HoldSent(true),
            Step::Stranger { party: 1, host: 2 },
            Step::Close { pipe: 1, how: 2 },
            Step::Refuse(true),
            Step::Restart(1),
            Step::Links { party: 0, up: true },
            Step::Wall(9),
        ];
        let mut script = Vec::new();
        steps.iter().for_each(|step| step.write(&mut script));
        let mut rest = &script[..];
        let again: Vec<Step> = std::iter::from_fn(|| Step::read(&mut rest)).collect();
        assert_eq!(again, steps);
    }
}
