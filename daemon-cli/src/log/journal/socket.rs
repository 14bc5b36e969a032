//! The way to the journal: datagrams, and files for what is too long for one.
//!
//! A log must not hold up what it tells of: if the journal takes nothing for a moment, the line is lost, and so are those after it
//! until it takes one again. That one is told how many there were.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr, sendto};

use super::entry::Entry;

/// How long a line may hold up whoever logs it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether a stream is the one that `JOURNAL_STREAM` tells of, as device and inode: the variable may be that of another process, and the
/// stream may have been led elsewhere.
pub(super) fn leads_to_the_journal(told: &str, stream: impl AsFd) -> bool {
    let Ok(stat) = fstat(stream) else { return false };
    told == format!("{}:{}", stat.st_dev, stat.st_ino)
}

/// Sends entries to the journal.
#[derive(Debug)]
pub(super) struct Sender {
    socket: UnixDatagram,
    /// Named each time: a journal that was started anew may have another socket there.
    journal: SocketAddrUnix,
    /// How many were lost since one was taken.
    lost: AtomicU64,
}

impl Sender {
    pub(super) fn to(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        path.symlink_metadata()?; // it is there
        Ok(Self { socket, journal: SocketAddrUnix::new(path)?, lost: AtomicU64::new(0) })
    }

    pub(super) fn send(&self, entry: &[u8]) {
        let lost = self.lost.load(Ordering::Relaxed);
        // Whoever has been waited for once is not waited for again.
        let flags = if lost > 0 { SendFlags::DONTWAIT } else { SendFlags::empty() };
        if self.put(entry, flags | SendFlags::NOSIGNAL).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else if lost > 0 {
            let lost = self.lost.swap(0, Ordering::Relaxed);
            let mut told = Entry::default();
            told.add("MESSAGE", &format!("{lost} lines are lost: the journal did not take them"));
            told.add("PRIORITY", "4");
            self.put(&told.into_bytes(), SendFlags::DONTWAIT).ok(); // it is a line like those
        }
    }

    fn put(&self, entry: &[u8], flags: SendFlags) -> rustix::io::Result<()> {
        match sendto(&self.socket, entry, flags, &self.journal) {
            Ok(_) => Ok(()),
            Err(Errno::MSGSIZE | Errno::NOBUFS) => self.put_file(entry, flags).map_err(|_| Errno::MSGSIZE),
            Err(error) => Err(error),
        }
    }

    /// Sends an entry as a file that cannot be changed any more.
    fn put_file(&self, entry: &[u8], flags: SendFlags) -> io::Result<()> {
        let mut file = File::from(memfd_create("journal", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.write_all(entry)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
        let descriptors = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("no room for a descriptor"));
        }
        sendmsg_addr(&self.socket, &self.journal, &[IoSlice::new(&[])], &mut control, flags)?;
        Ok(())
    }
}
