//! A Unix socket whose path may be longer than the 108 bytes (104 on macOS) that `sockaddr_un` has room for.
//!
//! On Linux a path that is too long goes through `/proc/self/fd/N/`, N being the opened directory. Elsewhere it is an error
//! that says how long is too long.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Listens at `path`, mode 0600. A socket that is there already is taken for a dead one's and replaced.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something that is no socket has that name; move it away",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let short = Short::of(path)?;
    let listener = UnixListener::bind(&short.path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to the socket at `path`.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Short::of(path)?.path)
}

/// A path that fits, and what keeps it valid.
struct Short {
    path: PathBuf,
    _directory: Option<File>,
}

impl Short {
    fn of(path: &Path) -> io::Result<Self> {
        if SocketAddr::from_pathname(path).is_ok() {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        if cfg!(any(target_os = "linux", target_os = "android"))
            && let (Some(parent), Some(name)) = (path.parent(), path.file_name())
        {
            use std::os::fd::AsRawFd;
            let directory = File::open(parent)?;
            let through = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
            return Ok(Self { path: through, _directory: Some(directory) });
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path is too long for a socket; choose a home with a shorter path",
        ))
    }
}

/// Whether whoever is at the other end is the user of this process, or root. The home's mode says so already; this holds
/// even if somebody opened it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_ours(stream: &impl std::os::fd::AsFd) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

/// Other systems do not say who that is by this way; the home's mode keeps others out.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_ours(_stream: &impl std::os::fd::AsFd) -> bool {
    true
}
