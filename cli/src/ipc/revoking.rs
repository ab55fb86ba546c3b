//! How a node takes note of a revocation; and how it ends when the key that is revoked is its own.

use hyper::StatusCode;
use landfall_core::{Command, Revocation};
use landfall_smol::RequestError;

use super::answers::RevokedView;
use super::node::Node;
use super::respond::Refusal;
use crate::error::Failure;
use crate::{hex, succession_file};

impl Node {
    /// Takes note of a revocation in hexadecimal digits.
    pub(super) async fn revoke(&self, digits: &str) -> Result<RevokedView, Refusal> {
        let bytes = hex::decode(digits.as_bytes()).unwrap_or_default();
        let revocation = Revocation::decode(&bytes).map_err(|_| {
            Refusal::new(StatusCode::BAD_REQUEST, "no_revocation", "it is no revocation that its key has signed")
        })?;
        let own = revocation.id == self.id();
        let mut view = RevokedView { id: revocation.id.to_string(), own, key: None };
        if own {
            // Before all else, so that no start from now on uses the key; the node that runs has it in memory.
            let aside = succession_file::set_aside(&self.home).map_err(|error| {
                let failure = Failure::at("put aside the key", &self.home.identity(), &error);
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "key", failure.to_string())
            })?;
            view.key = Some(aside.to_string_lossy().into_owned());
        }
        match self.handle.command(Command::Revoke(revocation)).await {
            Ok(_) => {}
            Err(RequestError::Gone) => return Err(Refusal::stopping()),
            Err(RequestError::Refused(error)) => {
                return Err(Refusal::new(StatusCode::CONFLICT, "refused_here", error.to_string()));
            }
        }
        if own {
            // Full means that somebody has revoked it already.
            let _ = self.revoked.try_send(());
        }
        Ok(view)
    }
}
