//! A node's remote control: cheap to clone, usable from any thread while the node runs elsewhere.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use landfall_core::{Command, CommandError, CommandId, Engine};
use landfall_driver::DriverCounters;
use smol::channel::{Receiver, Sender, bounded};
use smol::future;

use crate::events::{Events, Subscribers};

/// How many requests wait for the loop; whoever comes later waits to hand its own in.
const REQUESTS: usize = 64;

/// Commands and questions to a running node. All of them wait until the node runs; the node does not end when its last
/// handle is dropped.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: Sender<Request>,
    stop: Sender<()>,
    subscribers: Arc<Subscribers>,
    gone: Receiver<Infallible>,
}

/// The node does not run any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The engine refused it.
    Refused(CommandError),
    /// The node does not run any more.
    Gone,
}

impl Handle {
    /// Gives the engine a command.
    ///
    /// # Errors
    /// When the engine refuses it, or the node is gone.
    pub async fn command(&self, command: Command) -> Result<CommandId, RequestError> {
        let (reply, answer) = bounded(1);
        let answer = self.ask(Request::Command(command, reply), answer).await;
        answer.map_err(|Gone| RequestError::Gone)?.map_err(RequestError::Refused)
    }

    /// Runs `look` on the loop, with the engine as it is between two inputs, and returns what it returns. It must not
    /// block: the whole node waits for it.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn inspect<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Result<R, Gone> {
        let (reply, answer) = bounded(1);
        let look = Box::new(move |engine: &Engine| {
            let _ = reply.try_send(look(engine));
        });
        self.ask(Request::Inspect(look), answer).await
    }

    /// What the driver counted since the node's start.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn counters(&self) -> Result<DriverCounters, Gone> {
        let (reply, answer) = bounded(1);
        self.ask(Request::Counters(reply), answer).await
    }

    /// Subscribes to the node's events from now on. Any number of subscribers may listen.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.subscribers.subscribe()
    }

    /// Stops the node as [`Command::Stop`] does, ahead of all requests that wait, and returns when it is gone.
    pub async fn stop(&self) {
        // Full means that somebody asked already.
        let _ = self.stop.try_send(());
        let _ = self.gone.recv().await;
    }

    async fn ask<R>(&self, request: Request, answer: Receiver<R>) -> Result<R, Gone> {
        self.requests.send(request).await.map_err(|_| Gone)?;
        // A request that is left in the queue when the node ends keeps its reply's sender alive, hence the second way out.
        let answered = async { answer.recv().await.map_err(|_| Gone) };
        let over = async {
            let _ = self.gone.recv().await;
            Err(Gone)
        };
        future::or(answered, over).await
    }
}

/// The loop's end of all handles.
#[derive(Debug)]
pub(crate) struct Inlet {
    pub(crate) requests: Pin<Box<Receiver<Request>>>,
    pub(crate) stop: Pin<Box<Receiver<()>>>,
    pub(crate) subscribers: Arc<Subscribers>,
    /// Dropped with the rest: that is how handles learn that the node is gone.
    _present: Sender<Infallible>,
    /// Keeps the queues open while no handle exists.
    _handle: Handle,
}

/// What a handle asks of the loop.
pub(crate) enum Request {
    Command(Command, Sender<Result<CommandId, CommandError>>),
    Inspect(Box<dyn FnOnce(&Engine) + Send>),
    Counters(Sender<DriverCounters>),
}

pub(crate) fn connect() -> (Handle, Inlet) {
    let (ask, requests) = bounded(REQUESTS);
    let (stop, stops) = bounded(1);
    let (present, gone) = bounded(1);
    let subscribers = Arc::new(Subscribers::default());
    let handle = Handle { requests: ask, stop, subscribers: Arc::clone(&subscribers), gone };
    let (requests, stop) = (Box::pin(requests), Box::pin(stops));
    let inlet = Inlet { requests, stop, subscribers, _present: present, _handle: handle.clone() };
    (handle, inlet)
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.requests.close();
        self.subscribers.close();
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command, _) => f.debug_tuple("Command").field(command).finish(),
            Self::Inspect(_) => f.write_str("Inspect"),
            Self::Counters(_) => f.write_str("Counters"),
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node does not run any more")
    }
}

impl std::error::Error for Gone {}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => fmt::Display::fmt(error, f),
            Self::Gone => fmt::Display::fmt(&Gone, f),
        }
    }
}

impl std::error::Error for RequestError {}

#[cfg(test)]
mod tests {
    use smol::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn a_request_that_waits_when_the_node_ends_is_told_that_it_is_gone() {
        let (handle, inlet) = connect();
        block_on(async {
            let mut waiting = Box::pin(handle.command(Command::Discover));
            assert!(poll_once(&mut waiting).await.is_none());
            drop(inlet);
            assert_eq!(waiting.await, Err(RequestError::Gone));
        });
    }

    #[test]
    fn a_request_to_a_node_that_is_gone_is_told_so() {
        let (handle, inlet) = connect();
        drop(inlet);
        assert_eq!(block_on(handle.inspect(|_| ())), Err(Gone));
        block_on(handle.stop());
    }

    #[test]
    fn requests_wait_when_the_queue_is_full_and_none_is_lost() {
        let (handle, inlet) = connect();
        block_on(async {
            let mut asked: Vec<_> = (0..REQUESTS + 5).map(|_| Box::pin(handle.command(Command::Discover))).collect();
            for request in &mut asked {
                assert!(poll_once(request).await.is_none());
            }
            let answer = async {
                for _ in 0..REQUESTS + 5 {
                    match inlet.requests.recv().await {
                        Ok(Request::Command(_, reply)) => reply.try_send(Err(CommandError::Observer)).unwrap(),
                        Ok(Request::Inspect(_) | Request::Counters(_)) | Err(_) => unreachable!(),
                    }
                }
            };
            let read = async {
                for request in asked {
                    assert_eq!(request.await, Err(RequestError::Refused(CommandError::Observer)));
                }
            };
            future::zip(answer, read).await;
        });
    }
}
