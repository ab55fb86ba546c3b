//! Files that a running node writes while it runs, from a thread of their own: `up --record` and `capture`.
//!
//! The node never waits for the disk. Each piece is handed over whole and written in order, so that whatever stops the node, the
//! file is readable up to its last whole piece. When the file has reached its bound, or the disk is too slow or full, the file
//! ends there and the node goes on.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landfall_core::{Action, Command, Config, Input, UnixTime};
use landfall_recordings::trace::Recorder;
use landfall_smol::{Tap, files};

use crate::error::{Failure, plain};
use crate::text::safe;

/// What may wait for the disk, in bytes.
const BACKLOG: u64 = 64 << 20;
/// What is gathered before it is written, in bytes.
const TOGETHER: usize = 1 << 18;
/// How long the end waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the pieces are handed over.
#[derive(Debug)]
pub(crate) struct Sink {
    pieces: Sender<Vec<u8>>,
    shared: Arc<Shared>,
    limit: u64,
    handed: u64,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicU64,
    written: AtomicU64,
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writing {
    thread: JoinHandle<io::Result<()>>,
    shared: Arc<Shared>,
}

/// Makes a new private file, and a thread that writes to it at most `limit` bytes. A file that is there already is left alone.
pub(crate) fn create(path: &Path, limit: u64) -> Result<(Sink, Writing), Failure> {
    let file = files::options().create_new(true).open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let path = safe(&path.to_string_lossy()).into_owned();
            return Failure::Failed(format!(
                "{path} exists already and is left as it is; choose another name, or remove it"
            ));
        }
        Failure::at("create", path, &error)
    })?;
    let (pieces, waiting) = mpsc::channel();
    let shared = Arc::new(Shared::default());
    let own = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name(String::from("recorder"))
        .spawn(move || write(file, &waiting, &own))
        .map_err(|error| Failure::Failed(format!("cannot start a thread: {}", plain(&error))))?;
    Ok((Sink { pieces, shared: Arc::clone(&shared), limit, handed: 0 }, Writing { thread, shared }))
}

fn write(mut file: File, pieces: &Receiver<Vec<u8>>, shared: &Shared) -> io::Result<()> {
    while let Ok(mut bytes) = pieces.recv() {
        while bytes.len() < TOGETHER
            && let Ok(more) = pieces.try_recv()
        {
            bytes.extend(more);
        }
        let length = bytes.len() as u64;
        if let Err(error) = file.write_all(&bytes) {
            tracing::warn!("the file is not written any further: {}", plain(&error));
            return Err(error);
        }
        shared.waiting.fetch_sub(length, Ordering::Relaxed);
        shared.written.fetch_add(length, Ordering::Relaxed);
    }
    file.sync_all()
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let length = piece.len() as u64;
        if self.handed + length > self.limit {
            return Err(io::Error::other(format!("the file has reached its bound of {} MiB", self.limit >> 20)));
        }
        if self.shared.waiting.load(Ordering::Relaxed) + length > BACKLOG {
            return Err(io::Error::other("the disk is too slow"));
        }
        self.shared.waiting.fetch_add(length, Ordering::Relaxed);
        self.pieces.send(piece.to_vec()).map_err(|_| io::Error::other("the file cannot be written"))?;
        self.handed += length;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing {
    /// Waits until all is on the disk, and gives the length of the file. The sink has to be gone by then.
    pub(crate) fn finish(self) -> io::Result<u64> {
        let end = Instant::now() + PATIENCE;
        while !self.thread.is_finished() {
            if Instant::now() > end {
                return Err(io::Error::other("the disk is too slow; the end of the file is missing"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.thread.join().map_err(|_| io::Error::other("the thread that writes has failed"))??;
        Ok(self.shared.written.load(Ordering::Relaxed))
    }
}

/// Records a node's trace.
pub(crate) struct TraceTap {
    sink: Option<Sink>,
    recorder: Option<Recorder<Sink>>,
}

impl TraceTap {
    pub(crate) fn new(sink: Sink) -> Self {
        Self { sink: Some(sink), recorder: None }
    }

    fn tell(&mut self, tell: impl FnOnce(&mut Recorder<Sink>)) {
        let Some(recorder) = &mut self.recorder else { return };
        tell(recorder);
        if recorder.failed().is_some()
            && let Some(Err(error)) = self.recorder.take().map(Recorder::finish)
        {
            tracing::warn!("the recording ends here, and the node goes on: {error}");
        }
    }
}

impl Tap for TraceTap {
    fn start(&mut self, config: &Config, seed: &[u8; 32], now: landfall_core::Instant, wall: UnixTime) {
        let Some(sink) = self.sink.take() else { return };
        match Recorder::new(sink, config, seed, now, wall) {
            Ok(recorder) => self.recorder = Some(recorder),
            Err(error) => tracing::warn!("nothing is recorded: {error}"),
        }
    }

    fn input(&mut self, now: landfall_core::Instant, input: &Input<'_>) {
        self.tell(|recorder| recorder.input(now, input));
    }

    fn command(&mut self, now: landfall_core::Instant, command: &Command) {
        self.tell(|recorder| recorder.command(now, command));
    }

    fn action(&mut self, _now: landfall_core::Instant, action: &Action) {
        self.tell(|recorder| recorder.action(action));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use landfall_core::{Engine, Instant};
    use landfall_recordings::trace;

    use super::*;

    #[test]
    fn a_file_ends_at_its_bound_with_a_whole_piece() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let (mut sink, writing) = create(&path, 10).unwrap();
        assert!(sink.write_all(b"four").is_ok() && sink.write_all(b"more").is_ok());
        assert!(sink.write_all(b"and").unwrap_err().to_string().contains("bound"));
        drop(sink);
        assert_eq!(writing.finish().unwrap(), 8);
        assert_eq!(fs::read(&path).unwrap(), b"fourmore");
        assert!(matches!(create(&path, 10), Err(Failure::Failed(line)) if line.contains("exists already")));
    }

    #[test]
    fn a_recording_at_its_bound_replays_up_to_there_and_the_node_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.trace");
        let (sink, writing) = create(&path, 4000).unwrap();
        let mut tap = TraceTap::new(sink);
        let (config, seed, wall) = (Config::observer(), [7; 32], UnixTime::from_millis(1_800_000_000_000));
        tap.start(&config, &seed, Instant::ZERO, wall);
        let mut engine = Engine::new(config, seed, Instant::ZERO, wall).unwrap();
        let drain = |engine: &mut Engine, tap: &mut TraceTap, now| {
            while let Some(action) = engine.poll_action() {
                tap.action(now, &action);
            }
        };
        drain(&mut engine, &mut tap, Instant::ZERO);
        for second in 0..1000 {
            let now = Instant::from_micros(second * 1_000_000);
            tap.input(now, &Input::Timeout);
            engine.handle(Input::Timeout, now);
            drain(&mut engine, &mut tap, now);
        }
        drop(tap);
        let length = writing.finish().unwrap();
        assert!((3000..=4000).contains(&length), "{length}");
        assert!(trace::replay(&fs::read(&path).unwrap()).unwrap().inputs > 50);
    }
}
