//! What the director and the houses say to each other: one JSON value a line.

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::plan::{Millis, Number};

/// What a house is to do. It leaves when there are no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Start a node, with what its store has or with nothing.
    Start { node: Number, keep: bool },
    /// Stop it, with goodbyes.
    Stop { node: Number },
    /// End it as a crash would.
    Kill { node: Number },
    /// Send a message of this length.
    Send { from: Number, to: Number, number: u64, length: usize },
    /// Set the node's wall clock on, or back.
    Jump { node: Number, by: i64 },
    /// Have every node say whom it sees, and tell how the process is.
    Look,
}

/// Something a house says, and when it was so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) at: Millis,
    pub(crate) what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    /// The node begins to run.
    Up {
        node: Number,
    },
    /// It does not run any more; why, if that was not what was wanted.
    Gone {
        node: Number,
        trouble: Option<String>,
    },
    /// It calls a peer online.
    Met {
        node: Number,
        peer: Number,
    },
    /// It calls a peer offline.
    Lost {
        node: Number,
        peer: Number,
        silent: bool,
    },
    /// It has a peer whose key nobody has.
    Stranger {
        node: Number,
        key: String,
    },
    /// It has this address of a peer, for the first time in this life.
    Address {
        node: Number,
        peer: Number,
        address: SocketAddr,
    },
    /// It lists an address for a peer that is its own.
    OwnAddress {
        node: Number,
        peer: Number,
        address: SocketAddr,
    },
    /// So many events were lost because nobody read them in time.
    Missed {
        node: Number,
        count: u64,
    },
    Received {
        node: Number,
        from: Number,
        number: u64,
    },
    /// A message that is not what anybody sent.
    Garbled {
        node: Number,
        from: String,
        length: usize,
    },
    Delivered {
        node: Number,
        to: Number,
        number: u64,
    },
    Failed {
        node: Number,
        to: Number,
        number: u64,
        why: String,
    },
    Seen(Seen),
    Health(Health),
    /// A line of the log, of level WARN or ERROR.
    Logged {
        error: bool,
        line: String,
    },
    Panicked {
        line: String,
    },
}

/// What one node sees, at a moment between two of its inputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) node: Number,
    pub(crate) online: Vec<Number>,
    pub(crate) sessions: usize,
    /// How often its loop has turned, and how much there was to do: inputs, commands and actions.
    pub(crate) turns: u64,
    pub(crate) work: u64,
    /// How long its thread has been ready to run and had no processor, in all.
    pub(crate) waited: Millis,
}

/// How a house's process is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Health {
    /// Memory that it has allocated and not freed, in KiB.
    pub(crate) allocated: u64,
    /// Resident memory, in KiB: what the allocator keeps for later is in it, too.
    pub(crate) resident: u64,
    pub(crate) files: usize,
}

/// Says things to the director, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Teller(Sender<Said>);

impl Teller {
    /// Writes what is told to `out` until the reader is gone.
    pub(crate) fn to(out: impl Write + Send + 'static) -> Self {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || write(BufWriter::new(out), &told));
        Self(tell)
    }

    pub(crate) fn tell(&self, what: What) {
        // Whoever reads no more has ended, and this process will.
        let _ = self.0.send(Said { at: now(), what });
    }
}

fn write(mut out: impl Write, told: &Receiver<Said>) -> io::Result<()> {
    while let Ok(first) = told.recv() {
        let mut next = Some(first);
        while let Some(said) = next {
            serde_json::to_writer(&mut out, &said)?;
            out.write_all(b"\n")?;
            next = told.try_recv().ok();
        }
        out.flush()?;
    }
    Ok(())
}
