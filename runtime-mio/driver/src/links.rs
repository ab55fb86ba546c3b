//! Notices that this machine's interfaces may have changed, and says when to look.
//!
//! More than addresses matters: a cable that is plugged in, an address whose duplicate detection ends. On Linux a netlink
//! socket says that something changed, and not what, and a timer that the machine slept, or that its clock was set;
//! elsewhere the crate netwatcher says that addresses came or went. What is there is then read by
//! [`interfaces`](crate::interfaces) and compared. Nothing is read while nothing is notified.

use std::time::{Duration, Instant};

use tracing::warn;

use crate::reactor::Reactor;

/// Notifications come in swarms: the list is read when they pause for so long,
const PAUSE: Duration = Duration::from_millis(50);
/// or when they have been going on for so long.
const LONGEST_SWARM: Duration = Duration::from_millis(250);
/// When the list is read once more after a swarm: routes follow addresses, and nobody notifies of them.
const AFTERWARDS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// How often the list is read on a system that does not notify.
const UNNOTIFIED: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Links<R: Reactor> {
    /// None on a system that does not notify.
    notifications: Option<system::Notifications<R>>,
    due: Option<Instant>,
    /// When the swarm that is going on ends at the latest.
    swarm: Option<Instant>,
    /// How many looks came after the last swarm.
    looks: usize,
}

impl<R: Reactor> Links<R> {
    /// Looks at once, and then after each change.
    pub(crate) fn new(reactor: &R) -> Self {
        let notifications = system::Notifications::subscribe(reactor);
        if let Err(error) = &notifications {
            warn!(
                "the system does not notify of interface changes ({error}); they are looked for every {UNNOTIFIED:?}"
            );
        }
        Self { notifications: notifications.ok(), due: Some(Instant::now()), swarm: None, looks: 0 }
    }

    /// For whoever lives once more: nobody is asked.
    pub(crate) fn none() -> Self {
        Self { notifications: None, due: None, swarm: None, looks: 0 }
    }

    /// The system may have notified.
    pub(crate) fn wake(&mut self) {
        if self.notifications.as_mut().is_some_and(system::Notifications::take) {
            self.notified(Instant::now());
        }
    }

    fn notified(&mut self, now: Instant) {
        let end = *self.swarm.get_or_insert(now + LONGEST_SWARM);
        self.due = Some(end.min(now + PAUSE));
        self.looks = 0;
    }

    /// When to look.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is time to look at the interfaces.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.swarm = None;
        let again = AFTERWARDS.get(self.looks).or_else(|| self.notifications.is_none().then_some(&UNNOTIFIED));
        self.due = again.map(|delay| now + *delay);
        self.looks = self.looks.saturating_add(1);
        true
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use socket2::Socket;
    use tracing::debug;

    use crate::reactor::{Kind, Reactor, Source, Token};

    /// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`, rtnetlink(7).
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;

    #[derive(Debug)]
    pub(super) struct Notifications<R: Reactor> {
        changes: R::Source,
        /// None where the system has no such timers: then a sleep is noticed when something else wakes the loop.
        jumps: Option<R::Source>,
    }

    impl<R: Reactor> Notifications<R> {
        pub(super) fn subscribe(reactor: &R) -> io::Result<Self> {
            let jumps = watch_clock(reactor);
            if let Err(error) = &jumps {
                debug!("the system does not tell when this machine slept: {error}");
            }
            Ok(Self { changes: watch_links(reactor)?, jumps: jumps.ok() })
        }

        /// Whether there was a notification. What it says is not looked at.
        pub(super) fn take(&mut self) -> bool {
            let changed = drain(&mut self.changes);
            self.jumps.as_mut().is_some_and(drain) || changed
        }
    }

    fn watch_links<R: Reactor>(reactor: &R) -> io::Result<R::Source> {
        // Protocol 0, which is none in particular, is NETLINK_ROUTE.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        watch(reactor, Socket::from(socket))
    }

    /// A timer that never comes, and is cancelled whenever the wall clock jumps: timerfd_create(2). It does when the machine
    /// wakes from a sleep, too, which the clock of all other timers knows nothing of.
    fn watch_clock<R: Reactor>(reactor: &R) -> io::Result<R::Source> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let never =
            Itimerspec { it_interval: Timespec::default(), it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 } };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
        watch(reactor, Socket::from(timer))
    }

    fn watch<R: Reactor>(reactor: &R, socket: Socket) -> io::Result<R::Source> {
        let mut source = reactor.register(socket, Kind::Notifications, Token::Links)?;
        // So that a loop which is to be asked is.
        source.is_readable()?;
        Ok(source)
    }

    /// Reads all there is; whether there was anything.
    fn drain<S: Source>(source: &mut S) -> bool {
        let (mut any, mut failed) = (false, false);
        while source.is_readable().unwrap_or(false) {
            // By read(2), since a timer is no socket.
            match source.read(|socket| Ok(rustix::io::read(socket, &mut [0; 4096])?)) {
                Ok(_) => (any, failed) = (true, false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if failed => return true,
                // Some were lost, for want of room; or the timer was cancelled. It is read on, so that the loop is asked again.
                Err(_) => (any, failed) = (true, true),
            }
        }
        any
    }

    #[cfg(test)]
    mod tests {
        use std::time::{Duration, Instant};

        use super::*;
        use crate::polled::Polled;

        /// Something to read from that fails first, and then has nothing.
        #[derive(Debug)]
        struct Overflown {
            socket: Socket,
            failed: bool,
            readable: bool,
            asked: bool,
        }

        impl Source for Overflown {
            fn is_readable(&mut self) -> io::Result<bool> {
                self.asked |= !self.readable;
                Ok(self.readable)
            }

            fn is_writable(&mut self) -> io::Result<bool> {
                Ok(false)
            }

            fn read<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
                if !std::mem::replace(&mut self.failed, true) {
                    return Err(rustix::io::Errno::NOBUFS.into());
                }
                self.readable = false;
                io(&self.socket)
            }

            fn write<R>(&mut self, io: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
                io(&self.socket)
            }

            fn look<R>(&self, look: impl FnOnce(&Socket) -> R) -> R {
                look(&self.socket)
            }
        }

        #[test]
        fn lost_notifications_are_one_and_the_loop_is_asked_for_more() {
            let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let mut source = Overflown { socket, failed: false, readable: true, asked: false };
            assert!(drain(&mut source));
            assert!(source.asked);
        }

        #[test]
        fn nothing_is_notified_by_itself_and_a_timer_wakes_the_loop_each_time() {
            let polled = Polled::default();
            let mut notifications = Notifications::subscribe(&polled).unwrap();
            notifications.changes = watch_clock(&polled).unwrap();
            let Notifications { jumps: Some(jumps), .. } = &notifications else { panic!("Linux has such timers") };
            let jumps = jumps.clone();
            assert!(polled.wait(Instant::now()).is_empty());
            assert!(!notifications.take());
            for _ in 0..2 {
                // Nobody sets this machine's clock for a test: the timer is let come instead.
                let past =
                    Itimerspec { it_interval: Timespec::default(), it_value: Timespec { tv_sec: 1, tv_nsec: 0 } };
                jumps.look(|timer| timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &past)).unwrap();
                assert_eq!(polled.wait(Instant::now() + Duration::from_secs(10)), [Token::Links]);
                assert!(notifications.take());
                assert!(!notifications.take());
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::marker::PhantomData;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use netwatcher::WatchHandle;

    use crate::reactor::{Reactor, Token};

    pub(super) struct Notifications<R> {
        notified: Arc<AtomicBool>,
        _watch: WatchHandle,
        _reactor: PhantomData<R>,
    }

    impl<R: Reactor> Notifications<R> {
        pub(super) fn subscribe(reactor: &R) -> io::Result<Self> {
            let notified = Arc::new(AtomicBool::new(false));
            let (told, waker) = (Arc::clone(&notified), reactor.waker(Token::Links));
            let watch = netwatcher::watch_interfaces_with_callback(move |_| {
                told.store(true, Ordering::Release);
                waker.wake_by_ref();
            });
            let _watch = watch.map_err(io::Error::other)?;
            Ok(Self { notified, _watch, _reactor: PhantomData })
        }

        pub(super) fn take(&mut self) -> bool {
            self.notified.swap(false, Ordering::AcqRel)
        }
    }

    impl<R> std::fmt::Debug for Notifications<R> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Notifications").field("notified", &self.notified).finish_non_exhaustive()
        }
    }
}
