//! Rings when the wall clock is set or the machine wakes from a suspend: the one thing that wakes an idle host besides its
//! ticks.
//!
//! On Linux it is a timer on the wall clock that never runs out, but is cancelled when that clock jumps (`TFD_TIMER_CANCEL_ON_SET`
//! in [timerfd_create(2)]; the kernel does so at the end of a suspend, too). Elsewhere there is none.
//!
//! [timerfd_create(2)]: https://man7.org/linux/man-pages/man2/timerfd_create.2.html

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::io;
    use std::os::fd::AsFd;
    use std::sync::{Arc, Mutex, PoisonError, Weak};

    use rustix::io::Errno;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    /// The alarm of those of one host who wait: a timer, which is read as a pipe is.
    #[derive(Debug)]
    pub(crate) struct Alarm(Receiver);

    /// An alarm that is there while somebody holds it.
    #[derive(Default)]
    pub(crate) struct Shared(Mutex<Weak<Alarm>>);

    impl Shared {
        /// The alarm; `None` if it cannot be had, since there is no such call here.
        pub(crate) fn get(&self) -> Option<Arc<Alarm>> {
            let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(alarm) = shared.upgrade() {
                return Some(alarm);
            }
            let alarm = Arc::new(Alarm::set().ok()?);
            *shared = Arc::downgrade(&alarm);
            Some(alarm)
        }
    }

    impl Alarm {
        fn set() -> io::Result<Self> {
            let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            arm(&timer)?;
            Ok(Self(Receiver::from_owned_fd_unchecked(timer)?))
        }

        /// Waits until it rings. Without an alarm it never does.
        ///
        /// Cancel safe. One of those who wait hears it.
        pub(crate) async fn ring(alarm: Option<&Self>) -> io::Result<()> {
            let Some(Self(timer)) = alarm else { return std::future::pending().await };
            loop {
                timer.readable().await?;
                if rang(timer.try_read(&mut [0; 8]))? {
                    return arm(timer);
                }
            }
        }
    }

    /// Whether a timer that has been read rang.
    fn rang(read: io::Result<usize>) -> io::Result<bool> {
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false), // another one has heard it
            Err(error) if Errno::from_io_error(&error) != Some(Errno::CANCELED) => Err(error),
            // Cancelled; or run out, since the clock was set to the end of time.
            Ok(_) | Err(_) => Ok(true),
        }
    }

    /// Sets a timer for the end of time.
    fn arm(timer: impl AsFd) -> io::Result<()> {
        let never = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 },
        };
        timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &never)?;
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use rustix::time::timerfd_gettime;
        use std::io::Write;
        use std::os::unix::net::UnixStream;

        impl Alarm {
            /// One that cannot be read, and says so at once.
            pub(crate) fn broken() -> Self {
                let (pipe, other) = UnixStream::pair().unwrap();
                pipe.set_nonblocking(true).unwrap();
                (&pipe).write_all(b"never read").unwrap();
                drop(other);
                Self(Receiver::from_owned_fd_unchecked(pipe.into()).unwrap())
            }
        }

        impl Shared {
            pub(crate) fn of(alarm: &Arc<Alarm>) -> Self {
                Self(Mutex::new(Arc::downgrade(alarm)))
            }
        }

        #[test]
        fn a_change_of_the_clock_rings_and_one_that_another_has_heard_does_not() {
            let errno = |errno: Errno| Err(io::Error::from(errno));
            assert!(rang(errno(Errno::CANCELED)).unwrap() && rang(Ok(8)).unwrap());
            assert!(!rang(errno(Errno::WOULDBLOCK)).unwrap());
            assert_eq!(rang(errno(Errno::IO)).unwrap_err().raw_os_error(), Some(Errno::IO.raw_os_error()));
        }

        #[tokio::test]
        async fn one_that_cannot_be_read_says_so() {
            let fault = Alarm::ring(Some(&Alarm::broken())).await.unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::ConnectionReset);
        }

        #[tokio::test]
        async fn one_that_rings_is_set_anew() {
            let alarm = Shared::default().get().unwrap();
            assert!(timerfd_gettime(&alarm.0).unwrap().it_value.tv_sec > 0, "it is set");
            let past = Timespec { tv_sec: 1, tv_nsec: 0 };
            let runs_out = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: past };
            timerfd_settime(&alarm.0, TimerfdTimerFlags::ABSTIME, &runs_out).unwrap();
            let is_set = || timerfd_gettime(&alarm.0).unwrap().it_value.tv_sec > 0;
            assert!(!is_set());
            Alarm::ring(Some(&*alarm)).await.unwrap();
            assert!(is_set());
            let silent = tokio::time::timeout(std::time::Duration::from_millis(1), Alarm::ring(Some(&*alarm)));
            silent.await.unwrap_err();
        }

        #[tokio::test]
        async fn those_who_wait_share_one_and_it_is_silent() {
            let shared = Shared::default();
            let (one, other) = (shared.get().unwrap(), shared.get().unwrap());
            assert!(Arc::ptr_eq(&one, &other));
            let rings = tokio::spawn(async move { Alarm::ring(Some(&*other)).await });
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(!rings.is_finished());
            rings.abort();
            drop((one, rings.await));
            assert!(shared.0.lock().unwrap().upgrade().is_none(), "nobody waits any more, so nothing is open");
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod none {
    use std::sync::Arc;

    /// There is none.
    #[derive(Debug)]
    pub(crate) enum Alarm {}

    /// There is none to share.
    #[derive(Default)]
    pub(crate) struct Shared {}

    impl Shared {
        pub(crate) fn get(&self) -> Option<Arc<Alarm>> {
            None
        }
    }

    impl Alarm {
        /// Never ends.
        pub(crate) async fn ring(_: Option<&Self>) -> std::io::Result<()> {
            std::future::pending().await
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{Alarm, Shared};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use none::{Alarm, Shared};
