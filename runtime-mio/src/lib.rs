//! The mio driver of [`landfall_core`]: sockets, timers and jobs on one thread, without an executor.
//!
//! This version reserves the name and holds no code. Until the driver is here, embed the engine in a mio loop by the
//! order of calls that [`landfall_core::Engine`] states; `landfall-smol` is a complete driver to read beside it. What
//! differs on mio: readiness is edge-triggered, so a socket is read until it would block, or stays in a set of ready
//! ones that keeps the next poll from sleeping.
