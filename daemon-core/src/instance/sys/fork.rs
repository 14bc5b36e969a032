//! Keeps a child that was forked without exec from keeping the parent's lock.
//!
//! Such a child shares the parent's open files, locks with them, and would hold the lock of a parent that is long dead.
//! Close-on-exec does not help, since it never executes anything. So each lock's descriptor is listed, and a handler of
//! pthread_atfork(3) closes those listed in every child that fork(3) makes.
//!
//! The list is made for that handler, which may do only what is safe in a signal handler: it grows and is never freed,
//! and reading it takes no lock.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

const FREE: i32 = -1;

/// A place in the list, and those behind it.
#[derive(Debug)]
struct Place {
    descriptor: AtomicI32,
    next: OnceLock<Box<Place>>,
}

static FIRST: Place = Place::new();

impl Place {
    const fn new() -> Self {
        Self { descriptor: AtomicI32::new(FREE), next: OnceLock::new() }
    }

    /// The first free place, with the descriptor in it.
    fn take(descriptor: i32) -> &'static Self {
        let mut place = &FIRST;
        while place.descriptor.compare_exchange(FREE, descriptor, Ordering::AcqRel, Ordering::Acquire).is_err() {
            place = place.next.get_or_init(|| Box::new(Self::new()));
        }
        place
    }
}

/// An open file that only the process has which opened it.
#[derive(Debug)]
pub(in crate::instance) struct Kept {
    /// `None` only while being dropped.
    file: Option<File>,
    place: &'static Place,
    process: u32,
}

impl Kept {
    pub(in crate::instance) fn new(file: File) -> io::Result<Self> {
        handle_forks()?;
        let place = Place::take(file.as_raw_fd());
        Ok(Self { file: Some(file), place, process: std::process::id() })
    }

    /// The file, if this is still the process that opened it.
    pub(in crate::instance) fn file(&self) -> Option<&File> {
        let file = self.file.as_ref()?;
        let listed = self.place.descriptor.load(Ordering::Acquire) == file.as_raw_fd();
        (listed && self.process == std::process::id()).then_some(file)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let ours = self.file().is_some();
        let Some(file) = self.file.take() else { return };
        if ours {
            // Off the list first: once the descriptor is closed, its number may become another file's.
            self.place.descriptor.store(FREE, Ordering::Release);
        } else {
            // A forked child: the descriptor was closed by the handler, and its number may be another file's.
            let _closed_already = file.into_raw_fd();
        }
    }
}

/// Has the children of this process drop what is listed.
#[expect(unsafe_code, reason = "no safe interface tells of forks")]
fn handle_forks() -> io::Result<()> {
    static REGISTERED: OnceLock<i32> = OnceLock::new();
    // SAFETY: the handler is a function of this program without arguments, and does only what is safe after a fork.
    let failed = *REGISTERED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(in_child)) });
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

/// Runs in a forked child, before anything else of this program does: only atomic operations and close(2).
#[expect(unsafe_code, reason = "closes descriptors whose owners are gone with the parent's threads")]
extern "C" fn in_child() {
    let mut place = Some(&FIRST);
    while let Some(here) = place {
        let descriptor = here.descriptor.swap(FREE, Ordering::AcqRel);
        if descriptor != FREE {
            // SAFETY: a listed descriptor is one that a `Kept` owns, and `Kept` no longer uses one that is not listed.
            unsafe { libc::close(descriptor) };
        }
        place = here.next.get().map(|next| &**next);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Its number alone does not tell: in a namespace of its own a child may have that of its parent.
    #[test]
    fn what_is_no_longer_listed_is_not_ours_and_is_not_closed() {
        let kept = Kept::new(tempfile::tempfile().unwrap()).unwrap();
        let descriptor = kept.file().unwrap().as_raw_fd();
        kept.place.descriptor.store(FREE, Ordering::Release); // as the handler does in the child
        assert!(kept.file().is_none());
        drop(kept);
        assert!(std::path::Path::new(&format!("/proc/self/fd/{descriptor}")).exists());
    }
}
