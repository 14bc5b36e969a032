//! Files, locks and processes on Windows. What is locked is one byte far beyond the end of the file, since a locked byte
//! cannot be read by others, and they are to read the PID.

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, GetLastError, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, GetFileInformationByHandle,
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, SYNCHRONIZE, UnlockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, WaitForSingleObject};

use super::{Identity, Look};

/// Which byte is locked: the last one a file can have.
const LOCKED_AT: u64 = i64::MAX as u64 - 1;

/// Windows has no user numbers.
pub(in crate::instance) fn effective_uid() -> u32 {
    0
}

/// Whether there is a process of that number, be it somebody else's.
#[expect(unsafe_code, reason = "asking for a process has no safe form")]
pub(in crate::instance) fn is_process_alive(pid: u32) -> bool {
    // SAFETY: takes numbers only; the handle it returns is closed below.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, 0, pid) };
    if process.is_null() {
        // SAFETY: reads a number of this thread.
        return unsafe { GetLastError() } == ERROR_ACCESS_DENIED;
    }
    // SAFETY: the handle is open, and not used after it is closed.
    let waited = unsafe { WaitForSingleObject(process, 0) };
    // SAFETY: as above.
    unsafe { CloseHandle(process) };
    waited == WAIT_TIMEOUT
}

/// Opens a file to lock it and to write to it, and makes it if it is absent. Others may delete it meanwhile.
pub(in crate::instance) fn open_lock(path: &Path) -> io::Result<File> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path)
}

pub(in crate::instance) fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

#[expect(unsafe_code, reason = "a file's number has no safe form")]
pub(in crate::instance) fn look(file: &File) -> io::Result<Look> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and `found` is a place for what it asks.
    if unsafe { GetFileInformationByHandle(handle(file), &raw mut found) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let number = u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow);
    let data = file.metadata()?;
    Ok(Look {
        identity: Identity { device: found.dwVolumeSerialNumber.into(), file: number },
        names: found.nNumberOfLinks.into(),
        is_regular: data.is_file(),
        length: data.len(),
    })
}

/// What has this name now, a link itself and not its target.
pub(in crate::instance) fn look_at(path: &Path) -> io::Result<Option<Look>> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    match OpenOptions::new().access_mode(0).custom_flags(flags).open(path) {
        Ok(file) => look(&file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // One that is being deleted cannot be opened any more.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks the file for this handle alone; whether that was possible.
pub(in crate::instance) fn try_exclusive(file: &File) -> io::Result<bool> {
    lock(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY)
}

/// Locks the file together with others who only share it; whether nobody had it for himself.
pub(in crate::instance) fn try_shared(file: &File) -> io::Result<bool> {
    lock(file, LOCKFILE_FAIL_IMMEDIATELY)
}

#[expect(unsafe_code, reason = "the standard library locks whole files only, which nobody could read then")]
fn lock(file: &File, flags: u32) -> io::Result<bool> {
    let mut place = place();
    // SAFETY: the handle is open and was not opened for overlapped use, so nothing refers to `place` after the call.
    if unsafe { LockFileEx(handle(file), flags, 0, 1, 0, &raw mut place) } != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    let taken = [ERROR_LOCK_VIOLATION, ERROR_IO_PENDING].map(u32::cast_signed);
    if error.raw_os_error().is_some_and(|code| taken.contains(&code)) { Ok(false) } else { Err(error) }
}

/// Gives the lock back.
#[expect(unsafe_code, reason = "as `lock`")]
pub(in crate::instance) fn unlock(file: &File) -> io::Result<()> {
    let mut place = place();
    // SAFETY: as in `lock`.
    if unsafe { UnlockFileEx(handle(file), 0, 1, 0, &raw mut place) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn handle(file: &File) -> *mut c_void {
    file.as_raw_handle()
}

fn place() -> OVERLAPPED {
    let mut place = OVERLAPPED::default();
    place.Anonymous.Anonymous.Offset = (LOCKED_AT & u64::from(u32::MAX)) as u32;
    place.Anonymous.Anonymous.OffsetHigh = (LOCKED_AT >> 32) as u32;
    place
}

pub(in crate::instance) fn write_at_start(file: &File, bytes: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.seek_write(&bytes[written..], written as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
    Ok(())
}

pub(in crate::instance) fn read_at_start(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    file.seek_read(bytes, 0)
}

/// An open file. No process is forked here, and no child gets the handle.
#[derive(Debug)]
pub(in crate::instance) struct Kept(File);

impl Kept {
    pub(in crate::instance) fn new(file: File) -> io::Result<Self> {
        Ok(Self(file))
    }

    /// The file.
    pub(in crate::instance) fn file(&self) -> Option<&File> {
        Some(&self.0)
    }
}
