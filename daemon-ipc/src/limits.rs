//! The bounds both ends keep. Owns the numbers and their defaults; who enforces one says so in its own documentation.

/// What a peer may make this process hold.
///
/// ```
/// use daemon_ipc::Limits;
///
/// assert_eq!(Limits::default().max_frame, 16 * 1024 * 1024);
/// assert_eq!(Limits::default().with_max_frame(4096).max_frame, 4096);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest frame in bytes, its newline not counted \[16 MiB\].
    pub max_frame: usize,
}

impl Limits {
    /// Replaces the longest frame that is sent or accepted, in bytes, its newline not counted. At most 4 GiB.
    #[must_use]
    pub const fn with_max_frame(mut self, bytes: usize) -> Self {
        const MOST: usize = u32::MAX as usize;
        self.max_frame = if bytes < MOST { bytes } else { MOST };
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_frame: 16 * 1024 * 1024 }
    }
}
