//! Other people's mDNS programs against the real binary, on LANs of network namespaces: avahi, python-zeroconf,
//! @homebridge/ciao, bonjour-service and mdns-sd, each as a publisher and, if it is one, as a browser.
//!
//! `interop/install` installs what is not a Debian package; a test whose peer is not there says so and is skipped. Every
//! figure that a test measures is printed on standard error, past the test runner's capture.
#![cfg(target_os = "linux")]

#[path = "interop/avahi.rs"]
mod avahi;
#[path = "interop/browsers.rs"]
mod browsers;
#[path = "interop/conflicts.rs"]
mod conflicts;
#[path = "interop/families.rs"]
mod families;
#[path = "interop/latency.rs"]
mod latency;
#[path = "interop/mdns_sd_peer.rs"]
mod mdns_sd_peer;
#[path = "interop/ours.rs"]
mod ours;
#[path = "interop/peer.rs"]
mod peer;
#[path = "interop/publishers.rs"]
mod publishers;
#[path = "interop/stage.rs"]
mod stage;
#[path = "interop/talk.rs"]
mod talk;
#[path = "interop/together.rs"]
mod together;
