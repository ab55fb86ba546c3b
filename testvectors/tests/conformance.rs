//! The scenarios that every driver has to pass, in the simulator.

use landfall_testvectors::conformance::simulated;

simulated!();
