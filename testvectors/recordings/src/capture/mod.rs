//! Reads the UDP datagrams out of capture files: pcap and pcapng, of Ethernet, of Linux's `any` device, or of bare IP packets.
//!
//! A file is read frame by frame and never kept whole. Its lengths are believed only within [`LONGEST`], and nothing in it can
//! make the reader panic. A file that is cut off gives all that is before the cut, and then says so.

mod file;
mod packet;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use self::file::{Blocks, Records};

/// The longest frame or block that is read, in bytes: 16 MiB. Whatever claims to be longer is damage.
pub const LONGEST: usize = 1 << 24;

/// A UDP datagram as it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When, since 1970-01-01T00:00:00Z.
    pub at: Duration,
    /// The network card that the frame says it comes from, where frames say so.
    pub card: Option<[u8; 6]>,
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port.
    pub destination: SocketAddr,
    /// The payload.
    pub payload: Vec<u8>,
}

/// A frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When, since 1970-01-01T00:00:00Z.
    pub at: Duration,
    /// What is in it.
    pub content: Content,
}

/// What is in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole UDP datagram.
    Datagram(Captured),
    /// A UDP datagram that the capture has only the beginning of.
    Clipped,
    /// Something else: ARP, TCP, a fragment.
    Other,
    /// A frame of a kind of link that is not read: its number in the list of link types.
    Link(u16),
}

/// A capture that cannot be read, or not to its end.
#[derive(Debug)]
pub enum CaptureError {
    /// The file cannot be opened or read.
    File(io::Error),
    /// It is neither pcap nor pcapng.
    Format,
    /// It was taken on a kind of link that is not read: its number in the list of link types.
    Link(u16),
    /// It ends in the middle, after so many frames.
    CutOff(u64),
    /// After so many frames comes something that cannot be.
    Damaged(u64, &'static str),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "the capture cannot be read: {error}"),
            Self::Format => f.write_str("not a capture in pcap or pcapng format"),
            Self::Link(link) => write!(
                f,
                "the capture's link type is {link}; Ethernet (1), Linux's any device (113, 276), loopback (0, 108) and IP \
                 (101, 228, 229) are read"
            ),
            Self::CutOff(frames) => write!(f, "the capture is cut off after frame {frames}"),
            Self::Damaged(frames, what) => write!(f, "the capture is damaged after frame {frames}: {what}"),
        }
    }
}

impl std::error::Error for CaptureError {}

impl From<io::Error> for CaptureError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// A capture that is being read.
#[derive(Debug)]
pub struct Capture<R>(Form<R>);

#[derive(Debug)]
enum Form<R> {
    Pcap(Records<R>),
    Pcapng(Blocks<R>),
}

/// The type of a pcapng section header, the same in either byte order.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

impl Capture<BufReader<File>> {
    /// Opens a capture file.
    ///
    /// # Errors
    /// When there is none, or it does not begin as one, or was taken on a kind of link that is not read.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: Read> Capture<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// When it does not begin as one, or was taken on a kind of link that is not read.
    pub fn new(mut input: R) -> Result<Self, CaptureError> {
        let mut magic = [0; 4];
        match input.read_exact(&mut magic) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(CaptureError::Format),
            read => read?,
        }
        Ok(Self(if magic == PCAPNG {
            Form::Pcapng(Blocks::new(input)?)
        } else {
            Form::Pcap(Records::new(magic, input)?)
        }))
    }

    /// The next frame, or `None` at the end of the file.
    ///
    /// # Errors
    /// When the file is cut off or damaged here. Nothing can be read after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CaptureError> {
        match &mut self.0 {
            Form::Pcap(records) => records.next(),
            Form::Pcapng(blocks) => blocks.next(),
        }
    }
}

/// The UDP datagrams of a capture file, in its order. Frames that hold none (ARP, TCP, fragments) are passed over.
///
/// # Errors
/// When the file cannot be read to its end.
pub fn datagrams(path: &Path) -> Result<Vec<Captured>, CaptureError> {
    let mut capture = Capture::open(path)?;
    let mut datagrams = Vec::new();
    let mut unread = BTreeMap::new();
    while let Some(frame) = capture.next_frame()? {
        match frame.content {
            Content::Datagram(captured) => datagrams.push(captured),
            Content::Link(link) => *unread.entry(link).or_insert(0_u64) += 1,
            Content::Clipped | Content::Other => {}
        }
    }
    match unread.into_keys().next() {
        Some(link) if datagrams.is_empty() => Err(CaptureError::Link(link)),
        _ => Ok(datagrams),
    }
}
