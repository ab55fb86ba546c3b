//! Why a node does not run, in one line.

use landfall_smol::StartError;

use crate::error::{Failure, plain};

/// Why a node cannot start.
pub(crate) fn cannot_start(error: StartError) -> Failure {
    match error {
        StartError::Config(error) => Failure::Usage(error.to_string()),
        StartError::System(error) => {
            Failure::Failed(format!("the system refuses what a node needs: {}", plain(&error)))
        }
    }
}

/// Why a node ended by itself.
pub(crate) fn broke_down(error: std::io::Error) -> Failure {
    Failure::Failed(format!("cannot list the network interfaces: {}", plain(&error)))
}
