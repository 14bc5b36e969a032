//! What the system says of processes.

use std::fs;

/// Resident memory, in bytes.
pub fn resident() -> u64 {
    resident_of(std::process::id())
}

/// That of another process.
pub fn resident_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// CPU time so far, in seconds.
#[expect(unsafe_code, reason = "getrusage")]
pub fn cpu() -> f64 {
    // SAFETY: the structure is plain data, and valid for the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
