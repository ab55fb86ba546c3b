//! How a command asks the running node: HTTP/1.1 on a Unix socket in the node's home, which only its owner can reach.

#[cfg(unix)]
mod actions;
#[cfg(unix)]
mod answers;
#[cfg(unix)]
mod client;
#[cfg(unix)]
mod node;
#[cfg(unix)]
mod requests;
#[cfg(unix)]
mod respond;
#[cfg(unix)]
mod revoking;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod watches;

#[cfg(unix)]
pub(crate) use answers::{
    AliasBody, Change, ChangeView, ConnectView, DeliveredView, HealthView, MatchBody, MessageView, NothingBody,
    PingView, Problem, RevocationBody, RevokedView, SasView, TimeBody, TrustView,
};
#[cfg(unix)]
pub(crate) use client::{Asked, Body, ask, post, watch};
#[cfg(unix)]
pub(crate) use node::Node;
#[cfg(unix)]
pub(crate) use server::Server;
