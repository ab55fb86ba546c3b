//! How a node that runs in a terminal ends: asked once, it says its goodbyes; asked twice, it ends at once.

use std::time::Duration;

use async_signal::{Signal, Signals as Waiting};
use landfall_smol::Handle;
use smol::stream::StreamExt;

use crate::error::{Failure, plain};

/// For the goodbyes; the engine itself takes 200 ms at most.
const FAREWELL: Duration = Duration::from_millis(700);

/// The signals that ask a node to stop: Ctrl-C, SIGTERM, and the terminal's end.
pub(crate) struct Signals(Waiting);

impl Signals {
    /// Takes them from the system's own handling, so it has to come before whatever must not be cut short.
    pub(crate) fn listen() -> Result<Self, Failure> {
        #[cfg(unix)]
        let wanted = [Signal::Int, Signal::Term, Signal::Hup];
        #[cfg(not(unix))]
        let wanted = [Signal::Int];
        let refused = |error| Failure::Failed(format!("cannot listen for signals: {}", plain(&error)));
        Waiting::new(wanted).map(Self).map_err(refused)
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        let _ = self.0.next().await;
    }

    /// Stops the node and waits until its goodbyes have left and all of it was told. False when that took too long.
    pub(crate) async fn farewell(&mut self, handle: &Handle, telling: impl Future<Output = ()>) -> bool {
        let impatient = async {
            self.next().await;
            std::process::exit(130);
        };
        let farewell = async {
            handle.stop().await;
            telling.await;
            true
        };
        let late = async {
            smol::Timer::after(FAREWELL).await;
            false
        };
        smol::future::or(impatient, smol::future::or(farewell, late)).await
    }
}
