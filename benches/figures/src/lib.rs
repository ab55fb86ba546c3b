//! What the benches load a node with, and how their figures are told.
//!
//! - [`crowd`]: one node among others that announce themselves; [`link`]: one on a link full of mDNS;
//! - [`rows`]: one result type. Every figure is the median of rounds in which all are measured in turns, with the least and the
//!   most of them, and its ratio to the first of its kind, which is the reference;
//! - [`report`]: the table and the JSON; [`plot`]: the ratios as an SVG.
//!
//! Apart from the programs that Landfall is measured beside, so that its tests are built without any of them.
//!
//! # JSON
//!
//! One object, in `target/head_to_head.json` unless `--json FILE` says otherwise:
//!
//! ```json
//! {
//!   "landfall": "0.1.0",
//!   "commit": "dbcd4f0a1b2c-dirty",
//!   "date": "2026-11-29T13:00:00Z",
//!   "quick": false,
//!   "machine": { "cpu": "AMD EPYC 9V74", "cores": 2, "os": "linux x86_64", "rustc": "rustc 1.95.0 (59807616e 2026-04-14)" },
//!   "rows": [
//!     {
//!       "group": "handshake",
//!       "what": "a handshake beside the operations in it",
//!       "who": "landfall",
//!       "value": 340.2,
//!       "unit": "µs",
//!       "spread": [331.0, 402.9],
//!       "ratio": 1.02,
//!       "bounds": [{ "of": "ratio", "most": 1.1, "met": true }],
//!       "note": ""
//!     }
//!   ],
//!   "left_out": [{ "group": "lan", "why": "python-zeroconf is not installed; run cli/tests/interop/install" }]
//! }
//! ```
//!
//! `commit` is null where it is not known. `unit` is one of ns, µs, ms, bytes, MB, allocations and instructions; less is better in
//! each. `spread` is null for what is counted and not measured; `ratio` for what is compared with nothing or with zero.
//! `bounds` is often empty; a bound is one of the `value` in its unit, or of the `ratio`.

pub mod crowd;
pub mod link;
pub mod plot;
pub mod report;
pub mod rows;
