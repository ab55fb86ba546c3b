//! Listens in on a node: counts what there was to do, so that a loop that turns for nothing shows, and records one of them.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall_core::{Action, Command, Config, Input, Instant, UnixTime};
use landfall_recordings::trace::Recorder;
use landfall_smol::Tap;
use tracing::error;

/// Counts inputs, commands and actions, and writes a trace of them if there is a file for it.
pub(crate) struct SoakTap {
    work: Arc<AtomicU64>,
    file: Option<File>,
    recorder: Option<Recorder<BufWriter<File>>>,
}

impl SoakTap {
    pub(crate) fn new(work: Arc<AtomicU64>, record: Option<&Path>) -> Self {
        let file = record.and_then(|path| {
            File::create(path).map_err(|error| error!("{} cannot be written: {error}", path.display())).ok()
        });
        Self { work, file, recorder: None }
    }

    fn note(&mut self, note: impl FnOnce(&mut Recorder<BufWriter<File>>)) {
        self.work.fetch_add(1, Ordering::Relaxed);
        if let Some(recorder) = &mut self.recorder {
            note(recorder);
        }
    }
}

impl Tap for SoakTap {
    fn start(&mut self, config: &Config, seed: &[u8; 32], now: Instant, wall: UnixTime) {
        let Some(file) = self.file.take() else { return };
        match Recorder::new(BufWriter::new(file), config, seed, now, wall) {
            Ok(recorder) => self.recorder = Some(recorder),
            Err(error) => error!("nothing is recorded: {error}"),
        }
    }

    fn input(&mut self, now: Instant, input: &Input<'_>) {
        self.note(|recorder| recorder.input(now, input));
    }

    fn command(&mut self, now: Instant, command: &Command) {
        self.note(|recorder| recorder.command(now, command));
    }

    fn action(&mut self, _now: Instant, action: &Action) {
        self.note(|recorder| recorder.action(action));
    }
}

impl Drop for SoakTap {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.recorder.take().map(Recorder::finish) {
            error!("the recording is incomplete: {error}");
        }
    }
}
