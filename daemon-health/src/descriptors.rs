//! How many descriptors this process has open and may have open, as far as the system tells: Linux does. An edge.

/// How many are open, but for that of looking.
#[cfg(target_os = "linux")]
pub(crate) fn open() -> Option<u64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(open.saturating_sub(1)).ok()
}

/// How many may be open; `None` if there is no limit.
#[cfg(target_os = "linux")]
pub(crate) fn allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn open() -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn allowed() -> Option<u64> {
    None
}
