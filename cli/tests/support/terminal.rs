//! A command at a terminal of its own: what it shows, and what a person types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{DEADLINE, until, wait};

/// A command whose input and outputs are one terminal; killed when dropped.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reading: Option<JoinHandle<()>>,
}

impl Terminal {
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        command.env("TERM", "dumb").stdin(end(&theirs)).stdout(end(&theirs)).stderr(end(&theirs));
        let child = command.spawn().unwrap();
        drop(theirs);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shown) = (File::from(ours.try_clone().unwrap()), Arc::clone(&screen));
        let reading = thread::spawn(move || {
            let mut piece = [0; 4096];
            // Linux ends it with an error when nobody has the other end open any more.
            while let Ok(count @ 1..) = reader.read(&mut piece) {
                shown.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
        Self { child, keyboard: File::from(ours), screen, reading: Some(reading) }
    }

    /// All that it has shown so far, as bytes that are text.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until it shows this.
    #[track_caller]
    pub(crate) fn shows(&self, words: &str) -> String {
        until(&format!("it shows {words:?}"), || Some(self.screen()).filter(|screen| screen.contains(words)))
    }

    /// Types a line.
    #[track_caller]
    pub(crate) fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Ends the input, as Ctrl-D does at the beginning of a line.
    #[track_caller]
    pub(crate) fn ends_input(&mut self) {
        self.keyboard.write_all(b"\x04").unwrap();
    }

    /// Waits for its end, and gives its exit code and all that it has shown.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let code = wait(&mut self.child, DEADLINE).and_then(|status| status.code());
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
        (code, self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
