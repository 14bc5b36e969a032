//! The bounds both ends keep. Owns the numbers and their defaults; who enforces one says so in its own documentation.

/// What a peer may make this process hold.
///
/// ```
/// use daemon_ipc::Limits;
///
/// assert_eq!(Limits::default().max_frame, 16 * 1024 * 1024);
/// assert_eq!(Limits::default().with_max_frame(4096).max_frame, 4096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest frame in bytes, its newline not counted \[16 MiB\].
    pub max_frame: usize,
}

impl Limits {
    /// Replaces the longest frame that is sent or accepted, in bytes, its newline not counted.
    #[must_use]
    pub const fn with_max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_frame: 16 * 1024 * 1024 }
    }
}
