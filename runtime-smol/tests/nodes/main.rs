//! Real nodes on real sockets. Each test runs on a host of its own, built from network namespaces, in this same program.

mod host;
mod interfaces;
mod mdns;
mod sessions;
mod trouble;
mod two;
