//! A program on a host of a lab, the lines it prints, and what they say of services.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use landfall_testvectors::lab::report;

/// TXT as it was read: a key without a value has none.
pub(crate) type Txt = BTreeMap<String, Option<String>>;

/// A service as a browser tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) instance: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addresses: BTreeSet<String>,
    pub(crate) txt: Txt,
}

/// What a line of a program's output says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The program holds this instance name, has told the link, and has finished to.
    Published(String),
    /// It gave its instance name up for this one, which it may not hold yet.
    Renamed(String),
    /// It gave its publication up.
    Refused,
    /// A browser knows this, on the interface and family `scope`.
    Found { scope: String, finding: Finding },
    /// A browser says that the instance is gone from `scope`.
    Lost { scope: String, instance: String },
}

/// A running program, killed when dropped. What it printed is shown if the test panics.
pub(crate) struct Talk {
    who: String,
    child: Child,
    started: Instant,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Default)]
struct Lines {
    all: Vec<(Instant, String)>,
    happenings: Vec<(Instant, Happening)>,
    ended: u8,
}

/// What a browser knows at one moment.
pub(crate) struct Known(BTreeMap<(String, String), Finding>);

impl Talk {
    /// Starts a program whose lines, of either output, `read` understands.
    pub(crate) fn start(
        who: impl Into<String>,
        mut command: Command,
        read: impl Fn(&str) -> Option<Happening> + Clone + Send + 'static,
    ) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().expect("nsenter runs");
        let heard = Arc::<Heard>::default();
        let pipes: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
        for pipe in pipes.into_iter().flatten() {
            let (heard, read) = (Arc::clone(&heard), read.clone());
            thread::spawn(move || heard.listen(pipe, read));
        }
        Self { who: who.into(), child, started, heard }
    }

    /// The moment before its process was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Writes a line to its standard input, and says when.
    pub(crate) fn tell(&mut self, line: &str) -> Instant {
        let at = Instant::now();
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it runs and reads");
        at
    }

    /// Sends it a signal, and says when.
    pub(crate) fn signal(&self, signal: &str) -> Instant {
        let at = Instant::now();
        let status = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "{} is not running any more", self.who);
        at
    }

    /// Ends it as a crash would.
    pub(crate) fn crash(mut self) {
        self.child.kill().expect("it is running");
        self.child.wait().expect("it is a child");
    }

    /// The instance name it goes by now, once it holds one.
    pub(crate) fn name(&self) -> Option<String> {
        match self
            .lines()
            .happenings
            .iter()
            .rev()
            .map(|(_, happening)| happening)
            .find(|told| told.is_of_publisher())?
        {
            Happening::Published(name) => Some(name.clone()),
            Happening::Renamed(_) | Happening::Refused | Happening::Found { .. } | Happening::Lost { .. } => None,
        }
    }

    /// Whether it ever gave a name up.
    pub(crate) fn was_renamed(&self) -> bool {
        self.lines().happenings.iter().any(|(_, happening)| matches!(happening, Happening::Renamed(_)))
    }

    /// Waits until it is published, and says when that was and under which name.
    #[track_caller]
    pub(crate) fn published(&self) -> (Instant, String) {
        self.until(super::stage::PATIENCE, "it is published", |lines| match lines.happenings.last()?.clone() {
            (at, Happening::Published(name)) => Some((at, name)),
            (_, Happening::Renamed(_) | Happening::Refused | Happening::Found { .. } | Happening::Lost { .. }) => None,
        })
    }

    /// As [`Talk::published`], once it has not been renamed for longer than probing takes (RFC 6762 §8.1: 1 s).
    #[track_caller]
    pub(crate) fn settles(&self) -> (Instant, String) {
        loop {
            let (at, name) = self.published();
            thread::sleep(Duration::from_millis(1500).saturating_sub(at.elapsed()));
            if self.name().as_ref() == Some(&name) {
                return (at, name);
            }
        }
    }

    /// Waits until it gave up.
    #[track_caller]
    pub(crate) fn refused(&self) {
        let is_refusal = |(_, happening): &(Instant, Happening)| *happening == Happening::Refused;
        self.until(super::stage::PATIENCE, "it gives up", |lines| {
            lines.happenings.iter().any(is_refusal).then_some(())
        });
    }

    /// Waits until what it knows is as wanted, and says since when it is.
    #[track_caller]
    pub(crate) fn knows<T>(&self, limit: Duration, what: &str, wanted: impl Fn(&Known) -> Option<T>) -> (Instant, T) {
        self.until(limit, what, |lines| {
            let mut known = Known(BTreeMap::new());
            let mut since = wanted(&known).map(|seen| (self.started, seen));
            for (at, happening) in &lines.happenings {
                known.learn(happening);
                since = wanted(&known).map(|seen| (since.as_ref().map_or(*at, |(since, _)| *since), seen));
            }
            since
        })
    }

    #[track_caller]
    fn until<T>(&self, limit: Duration, what: &str, look: impl Fn(&Lines) -> Option<T>) -> T {
        let end = Instant::now() + limit;
        let mut lines = self.lines();
        loop {
            if let Some(seen) = look(&lines) {
                return seen;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                panic!("{}: not within {limit:?}: {what}", self.who);
            }
            lines = self.heard.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.heard.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let mut text = format!("--- what {} said:\n", self.who);
            for (at, line) in &self.lines().all {
                text.push_str(&format!("{:8.3} {line}\n", at.saturating_duration_since(self.started).as_secs_f64()));
            }
            report(&format!("{text}---"));
        }
    }
}

impl Heard {
    fn listen(&self, pipe: impl Read, read: impl Fn(&str) -> Option<Happening>) {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let now = Instant::now();
            let happening = read(&line);
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.all.push((now, line));
            lines.happenings.extend(happening.map(|happening| (now, happening)));
            self.more.notify_all();
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).ended += 1;
        self.more.notify_all();
    }
}

impl Happening {
    fn is_of_publisher(&self) -> bool {
        match self {
            Self::Published(_) | Self::Renamed(_) | Self::Refused => true,
            Self::Found { .. } | Self::Lost { .. } => false,
        }
    }
}

impl Known {
    /// How many instances there are.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(|finding| finding.instance.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// The instance of that name, with the addresses of all scopes.
    pub(crate) fn named(&self, instance: &str) -> Option<Finding> {
        let mut all = self.0.values().filter(|finding| finding.instance == instance);
        let first = all.next()?.clone();
        Some(all.fold(first, |mut sum, next| {
            sum.addresses.extend(next.addresses.iter().cloned());
            sum
        }))
    }

    /// The instance of that name, if all scopes that know it agree on its TXT and that is this.
    pub(crate) fn with_txt(&self, instance: &str, txt: &Txt) -> Option<Finding> {
        self.named(instance).filter(|_| {
            self.0.values().filter(|finding| finding.instance == instance).all(|finding| finding.txt == *txt)
        })
    }

    fn learn(&mut self, happening: &Happening) {
        match happening {
            Happening::Found { scope, finding } => {
                self.0.insert((scope.clone(), finding.instance.clone()), finding.clone());
            }
            Happening::Lost { scope, instance } => {
                self.0.remove(&(scope.clone(), instance.clone()));
            }
            Happening::Published(_) | Happening::Renamed(_) | Happening::Refused => {}
        }
    }
}
