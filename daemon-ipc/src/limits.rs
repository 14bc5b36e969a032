//! The bounds both ends keep. Owns the numbers and their defaults; who enforces one says so in its own documentation.

use std::time::Duration;

/// What a peer may make this process hold, and how long it may take.
///
/// A server takes 0 for 1 in what nothing would go on without: `max_frame`, `max_in_flight` and `max_waiting`.
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
    /// The longest frame that is sent or accepted, in bytes, its newline not counted \[16 MiB\].
    pub max_frame: usize,
    /// How many connections a server has at once \[1024\]. One more is told that it is busy.
    pub max_connections: usize,
    /// How many requests of one connection are handled at once \[256\]. Their replies are all the output a peer that does not
    /// read can make a server hold, beyond 64 KiB.
    pub max_in_flight: usize,
    /// How many requests of one connection are read beyond that, to wait \[1024\], and how many pushed messages wait to be
    /// written. Beyond it, nothing is read.
    pub max_waiting: usize,
    /// How long a line may take from its first byte to its end \[30 s\].
    pub read_timeout: Duration,
    /// How long a peer may leave what is written to it unread \[30 s\].
    pub write_timeout: Duration,
    /// How long a connection may be silent, with nothing to be answered \[1 hour\].
    pub idle_timeout: Duration,
    /// How long a request may take that has no deadline of its own and does not ask for many items \[5 min\].
    pub request_timeout: Duration,
    /// How long a handler may go on after its request was given up \[1 s\].
    pub cancel_grace: Duration,
    /// How long a server that closes waits for the handlers at work \[5 s\].
    pub drain_timeout: Duration,
}

macro_rules! with {
    ($($(#[$doc:meta])+ $method:ident $field:ident $kind:ty;)+) => {
        impl Limits {
            $(
                $(#[$doc])+
                #[must_use]
                pub const fn $method(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

with! {
    /// Replaces how many connections a server has at once.
    with_max_connections max_connections usize;
    /// Replaces how many requests may wait.
    with_max_waiting max_waiting usize;
    /// Replaces how long a line may take.
    with_read_timeout read_timeout Duration;
    /// Replaces how long what is written may be left unread.
    with_write_timeout write_timeout Duration;
    /// Replaces how long a connection may be silent.
    with_idle_timeout idle_timeout Duration;
    /// Replaces how long a request without a deadline may take.
    with_request_timeout request_timeout Duration;
    /// Replaces how long a handler may go on after its request was given up.
    with_cancel_grace cancel_grace Duration;
    /// Replaces how long a closing server waits for its handlers.
    with_drain_timeout drain_timeout Duration;
}

impl Limits {
    /// Replaces the longest frame that is sent or accepted, in bytes, its newline not counted. At most 4 GiB.
    #[must_use]
    pub const fn with_max_frame(mut self, bytes: usize) -> Self {
        const MOST: usize = u32::MAX as usize;
        self.max_frame = if bytes < MOST { bytes } else { MOST };
        self
    }

    /// Replaces how many requests of one connection are handled at once. At least one.
    #[must_use]
    pub const fn with_max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = if requests == 0 { 1 } else { requests };
        self
    }
}

impl Limits {
    /// As they are kept: of what nothing goes on without, there is one.
    pub(crate) fn kept(mut self) -> Self {
        for least in [&mut self.max_frame, &mut self.max_in_flight, &mut self.max_waiting] {
            *least = (*least).max(1);
        }
        self
    }

    /// Of frames that are sent however long they are.
    pub(crate) fn boundless() -> Self {
        Self { max_frame: usize::MAX, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: 16 * 1024 * 1024,
            max_connections: 1024,
            max_in_flight: 256,
            max_waiting: 1024,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60 * 60),
            request_timeout: Duration::from_secs(5 * 60),
            cancel_grace: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
