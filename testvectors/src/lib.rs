//! What Landfall is tested with: a simulated LAN, scenarios that play on it and on real ones, a replayer of captures, a recorder
//! of traces, wire vectors, and the bodies of the fuzz targets. Nothing here is published or runs in a node.

pub mod conformance;
pub mod forge;
pub mod fuzz_discovery;
pub mod fuzz_mdns;
pub mod fuzz_session;
pub mod fuzzing;
pub mod lab;
pub mod oracle;
pub mod replay;
pub mod sim;
pub mod vectors;

pub use landfall_recordings::{capture, trace};
