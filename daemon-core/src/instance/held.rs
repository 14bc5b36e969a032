//! A file that is locked by this process, has its PID in it, and goes with it.
//!
//! Invariants:
//! 1. The kernel's lock is the truth. The PID is for readers.
//! 2. What is locked is the file that has the path: after locking, the two are compared, and if the path has come to
//!    name another file meanwhile, that one is tried.
//! 3. A file is unlinked only while its lock is held, and only if the path still names it; so nobody who follows these
//!    rules is ever locked out by a file without a name, nor loses one that is his.
//! 4. Nothing is written before the file is locked, and it never goes through being empty.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::dir;
use super::error::LockError;
use super::pid::{self, Format};
use super::sys::{self, Identity, Kept};

/// How long somebody who lost waits for the winner to write its PID.
const TO_WRITE: Duration = Duration::from_secs(2);
/// How long the path may name another file each time one looks.
const TO_SETTLE: Duration = Duration::from_secs(5);

/// A locked file. Dropping it unlocks it, and leaves the file.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    identity: Identity,
    kept: Kept,
    /// How long it was when it was locked.
    length: u64,
}

impl Held {
    /// Writes this process's PID over what is there.
    fn write(&self, format: Format) -> io::Result<()> {
        let Some(file) = self.kept.file() else { return Ok(()) };
        let bytes = format.bytes(std::process::id());
        sys::write_at_start(file, &bytes)?;
        let length = bytes.len() as u64;
        if self.length > length { file.set_len(length) } else { Ok(()) }
    }

    /// Removes the file, unless its name or its content is another's by now, and unlocks it.
    fn give_back(&self) -> io::Result<()> {
        let Some(file) = self.kept.file() else { return Ok(()) };
        let removed = self.remove(file);
        removed.and(sys::unlock(file))
    }

    fn remove(&self, file: &File) -> io::Result<()> {
        let others = pid::read(file)?.is_some_and(|pid| pid != std::process::id());
        if others || sys::identity_at(&self.path)? != Some(self.identity) {
            return Ok(());
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// What this process claims a file as. It may claim one file once as each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The lock of an instance.
    Lock,
    /// Its PID file.
    Pid,
}

/// A claim of this process to a file. The file is given back with the last claim to it.
#[derive(Debug)]
pub(super) struct Claim {
    /// `None` once it was given back.
    held: Option<Arc<Held>>,
    purpose: Purpose,
}

/// The claims of this process, which the kernel cannot tell from those of another.
static CLAIMS: Mutex<Vec<(Weak<Held>, Purpose)>> = Mutex::new(Vec::new());

impl Claim {
    /// Locks the file at `path` for this process, makes it if it is absent, and writes the PID to it.
    pub(super) fn take(path: &Path, purpose: Purpose) -> Result<Self, LockError> {
        Self::take_within(path, purpose, TO_SETTLE)
    }

    fn take_within(path: &Path, purpose: Purpose, to_settle: Duration) -> Result<Self, LockError> {
        let began = Instant::now();
        loop {
            let busy = match attempt(path)? {
                Attempt::Locked(held) => return Self::begin(held, purpose),
                Attempt::Taken(identity, pid) => {
                    if let Some(claim) = Self::join(identity, purpose) {
                        return Ok(claim);
                    }
                    if is_settled(pid, began.elapsed()) {
                        return Err(LockError::taken(path, pid));
                    }
                    "is busy"
                }
                Attempt::Asked => "is asked for all the time",
                Attempt::Moved => "is replaced all the time",
            };
            if began.elapsed() > to_settle {
                return Err(LockError::unfit(path, busy));
            }
            std::thread::sleep(pause());
        }
    }

    fn begin(held: Held, purpose: Purpose) -> Result<Self, LockError> {
        let format = if purpose == Purpose::Lock { Format::Line } else { Format::Bare };
        if let Err(error) = held.write(format) {
            let failure = LockError::unwritten(&held.path, &error);
            let _ = held.give_back(); // what went wrong first is what is told
            return Err(failure);
        }
        let held = Arc::new(held);
        claims().push((Arc::downgrade(&held), purpose));
        Ok(Self { held: Some(held), purpose })
    }

    /// A claim to a file that this process has locked already, as something else.
    fn join(identity: Identity, purpose: Purpose) -> Option<Self> {
        let mut claims = claims();
        let ours: Vec<_> = claims
            .iter()
            .filter_map(|(held, purpose)| Some((held.upgrade()?, *purpose)))
            .filter(|(held, _)| held.identity == identity && held.kept.file().is_some())
            .collect();
        if ours.iter().any(|(_, other)| *other == purpose) {
            return None;
        }
        let (held, _) = ours.into_iter().next()?;
        claims.push((Arc::downgrade(&held), purpose));
        Some(Self { held: Some(held), purpose })
    }

    /// Gives the file back, if this is the last claim to it.
    pub(super) fn give_back(&mut self) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let mut claims = claims();
        let this = Arc::downgrade(&held);
        if let Some(at) = claims.iter().position(|(other, purpose)| other.ptr_eq(&this) && *purpose == self.purpose) {
            claims.swap_remove(at);
        }
        // Still under the lock of the list, so that nobody joins what is about to go.
        if claims.iter().any(|(other, _)| other.ptr_eq(&this)) { Ok(()) } else { held.give_back() }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            let path = held.path.clone();
            if let Err(error) = self.give_back() {
                tracing::warn!(path = %path.display(), %error, "cannot remove a lock file");
            }
        }
    }
}

fn claims() -> std::sync::MutexGuard<'static, Vec<(Weak<Held>, Purpose)>> {
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the PID in a file that another has locked is the one to tell: the winner may not have written yet, over the PID of
/// one that died.
fn is_settled(pid: Option<u32>, waited: Duration) -> bool {
    pid.is_some_and(pid::is_process_alive) || waited > TO_WRITE
}

/// How one attempt at a lock ended.
#[derive(Debug)]
enum Attempt {
    /// It is ours.
    Locked(Held),
    /// Somebody has it: of which file, and the PID in that.
    Taken(Identity, Option<u32>),
    /// Nobody has it, but somebody asked at that moment whether anybody has.
    Asked,
    /// It is the lock of a file that no longer has this path.
    Moved,
}

fn attempt(path: &Path) -> Result<Attempt, LockError> {
    let file = match sys::open_lock(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            dir::make_parent(path).map_err(|error| LockError::io("Failed to make its directory", path, &error))?;
            sys::open_lock(path)
        }
        opened => opened,
    };
    lock(path, file.map_err(|error| unopened(path, &error))?)
}

/// Tries to lock a file that was opened by its path.
fn lock(path: &Path, file: File) -> Result<Attempt, LockError> {
    let failed = |error| LockError::io("Failed to lock the lock file", path, &error);
    let opened = sys::look(&file).map_err(failed)?;
    if !opened.is_regular {
        return Err(LockError::unfit(path, "is no regular file; move it away"));
    }
    // Before it is locked: from then on no child that is forked keeps it.
    let kept = Kept::new(file).map_err(failed)?;
    let Some(file) = kept.file() else { return Ok(Attempt::Moved) };
    if !sys::try_exclusive(file).map_err(failed)? {
        if sys::try_shared(file).map_err(failed)? {
            return Ok(Attempt::Asked);
        }
        return Ok(Attempt::Taken(opened.identity, pid::read(file).map_err(failed)?));
    }
    let named = sys::look_at(path).map_err(failed)?.filter(|named| named.identity == opened.identity);
    let Some(sys::Look { identity, names, length, .. }) = named else { return Ok(Attempt::Moved) };
    if names > 1 {
        return Err(LockError::unfit(path, "has a second name, and may be somebody's file; remove it"));
    }
    Ok(Attempt::Locked(Held { path: path.to_owned(), identity, kept, length }))
}

/// Says why a lock file cannot be opened.
fn unopened(path: &Path, error: &io::Error) -> LockError {
    match std::fs::symlink_metadata(path) {
        Ok(data) if data.is_symlink() => LockError::unfit(path, "is a symbolic link, which is not followed; remove it"),
        Ok(data) if data.is_dir() => LockError::unfit(path, "is a directory; remove it"),
        _ => LockError::io("Failed to open lock file", path, error),
    }
}

/// How long to wait before looking again: not as long as the next one does.
fn pause() -> Duration {
    use std::hash::{BuildHasher, RandomState};
    Duration::from_micros(200 + RandomState::new().hash_one(0) % 800)
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test states what it expects")]
mod tests {
    use super::*;

    /// A file that was opened by its path, as somebody does who is about to lock it.
    fn opened() -> (tempfile::TempDir, PathBuf, File) {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("daemon.lock");
        let file = sys::open_lock(&path).unwrap();
        (dir, path, file)
    }

    #[test]
    fn a_file_that_lost_its_name_before_it_was_locked_is_not_the_lock() {
        let (_dir, path, file) = opened();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(lock(&path, file).unwrap(), Attempt::Moved));

        let (_dir, path, file) = opened();
        std::fs::rename(&path, path.with_extension("old")).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(matches!(lock(&path, file).unwrap(), Attempt::Moved));
        assert!(matches!(attempt(&path).unwrap(), Attempt::Locked(_)));
    }

    #[test]
    fn who_asks_is_told_from_who_holds() {
        let (_dir, path, file) = opened();
        let other = sys::open_to_read(&path).unwrap();
        assert!(sys::try_shared(&other).unwrap());
        assert!(matches!(lock(&path, file).unwrap(), Attempt::Asked));
        sys::unlock(&other).unwrap();
        std::fs::write(&path, "12\n").unwrap();
        let Attempt::Locked(held) = attempt(&path).unwrap() else { panic!("nobody has it") };
        let taken = attempt(&path).unwrap();
        assert!(matches!(taken, Attempt::Taken(identity, Some(12)) if identity == held.identity), "{taken:?}");
    }

    #[test]
    fn a_file_that_somebody_asks_about_all_the_time_is_not_waited_for_for_ever() {
        let (_dir, path, asks) = opened();
        assert!(sys::try_shared(&asks).unwrap());
        let refused = Claim::take_within(&path, Purpose::Lock, Duration::ZERO).unwrap_err();
        assert!(refused.to_string().contains("is asked for all the time"), "{refused}");
    }

    #[test]
    fn a_claim_that_is_given_back_can_be_taken_again_while_the_other_of_its_file_stays() {
        let (_dir, path, _) = opened();
        let mut lock = Claim::take(&path, Purpose::Lock).unwrap();
        let mut pid = Claim::take(&path, Purpose::Pid).unwrap();
        for _ in 0..2 {
            pid.give_back().unwrap();
            pid = Claim::take(&path, Purpose::Pid).unwrap();
            assert!(Claim::take(&path, Purpose::Lock).is_err(), "it is claimed as the lock all the time");
        }
        lock.give_back().unwrap();
        assert!(path.exists(), "it is the PID file still");
        pid.give_back().unwrap();
        assert!(!path.exists());
    }

    /// Such as a child that was forked behind the back of the C library.
    #[test]
    fn a_lock_that_is_given_back_is_free_though_somebody_has_a_copy_of_it() {
        let (_dir, path, file) = opened();
        let copy = file.try_clone().unwrap();
        let Attempt::Locked(held) = lock(&path, file).unwrap() else { panic!("nobody has it") };
        std::fs::write(&path, "1").unwrap(); // another's by now: it stays
        held.give_back().unwrap();
        drop(held);
        assert!(matches!(attempt(&path).unwrap(), Attempt::Locked(_)));
        drop(copy);
    }

    #[test]
    fn the_pid_of_a_dead_process_is_not_told_while_the_winner_may_still_write() {
        let dead = Some(4_194_304); // more than Linux ever gives
        for nobody in [None, dead] {
            assert!(!is_settled(nobody, Duration::ZERO) && !is_settled(nobody, TO_WRITE));
            assert!(is_settled(nobody, TO_WRITE * 2));
        }
        assert!(is_settled(Some(std::process::id()), Duration::ZERO));
    }
}
