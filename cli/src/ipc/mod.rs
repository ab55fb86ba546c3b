//! How a command asks the running node: HTTP/1.1 on a Unix socket in the node's home, which only its owner can reach.

#[cfg(unix)]
mod answers;
#[cfg(unix)]
mod client;
#[cfg(unix)]
mod node;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod socket;

#[cfg(unix)]
pub(crate) use answers::{Change, ChangeView, HealthView};
#[cfg(unix)]
pub(crate) use client::{Asked, ask, watch};
#[cfg(unix)]
pub(crate) use node::Node;
#[cfg(unix)]
pub(crate) use server::Server;
