//! Two nodes of one network on this machine.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{Daemon, Done, directory, network, run_in, until};

/// Two nodes that know each other: `studio` and `cellar`.
pub(crate) struct Pair {
    pub(crate) homes: [TempDir; 2],
    pub(crate) network: String,
    pub(crate) studio: Daemon,
    pub(crate) cellar: Daemon,
}

impl Pair {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let (homes, network) = ([directory(), directory()], network());
        let studio = Daemon::spawn(homes[0].path(), &["--network", &network, "--name", "studio"]);
        let cellar = Daemon::spawn(homes[1].path(), &["--network", &network, "--name", "cellar"]);
        let pair = Self { homes, network, studio, cellar };
        pair.know_each_other();
        pair
    }

    #[track_caller]
    pub(crate) fn know_each_other(&self) {
        for (home, other) in [(self.here(), "cellar"), (self.there(), "studio")] {
            until("they know each other", || {
                let peers = run_in(home, &["peers", "--json"]);
                let is_here = |peer: &Value| peer["name"] == other && peer["online"] == true;
                (peers.code == Some(0) && peers.json().as_array().unwrap().iter().any(is_here)).then_some(())
            });
        }
    }

    pub(crate) fn here(&self) -> &Path {
        self.homes[0].path()
    }

    pub(crate) fn there(&self) -> &Path {
        self.homes[1].path()
    }

    pub(crate) fn at_studio(&self, arguments: &[&str]) -> Done {
        run_in(self.here(), arguments)
    }

    pub(crate) fn at_cellar(&self, arguments: &[&str]) -> Done {
        run_in(self.there(), arguments)
    }

    /// What studio says of the peer that it calls so, or that calls itself so.
    #[track_caller]
    pub(crate) fn seen(&self, label: &str) -> Value {
        let peers = self.at_studio(&["peers", "--json"]).json();
        let is_it = |peer: &&Value| peer["alias"] == label || (peer["alias"].is_null() && peer["name"] == label);
        let alive = |peer: &&Value| peer["trust"] != "revoked";
        peers
            .as_array()
            .unwrap()
            .iter()
            .filter(alive)
            .find(is_it)
            .unwrap_or_else(|| panic!("no {label}: {peers}"))
            .clone()
    }
}

pub(crate) fn id(home: &Path) -> String {
    run_in(home, &["whoami", "--json"]).json()["id"].as_str().unwrap().to_owned()
}
