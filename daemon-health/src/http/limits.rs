//! What one endpoint may cost.

use std::time::Duration;

/// Bounds of an [`HttpEndpoint`](super::HttpEndpoint): what others can make it hold, and for how long.
///
/// ```
/// use daemon_health::http::HttpLimits;
///
/// let limits = HttpLimits::default();
/// assert_eq!((limits.connections, limits.viewers), (128, 16));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpLimits {
    /// How many connections are open at once \[128\]. More wait until one ends; those that idle are asked to.
    pub connections: usize,
    /// How many of them may follow `/events` \[16\]. One more is answered with 503.
    pub viewers: usize,
    /// How many bytes the head of a request may have \[16 KiB\].
    pub head: usize,
    /// How long a request's head may take, and how long a connection may idle between two requests \[10 s\].
    pub head_timeout: Duration,
    /// How long a peer may take nothing of what is written to it \[30 s\]. Then its connection is closed.
    pub write_timeout: Duration,
    /// How old a connection may become \[1 h\]. A page that is left open connects again by itself.
    pub age: Duration,
    /// How long answers under way may take when the endpoint stops \[2 s\].
    pub drain: Duration,
    /// How often what is seen live is brought up to date while somebody looks, at most once a millisecond \[500 ms\].
    pub refresh: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 128,
            viewers: 16,
            head: 16 * 1024,
            head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            age: Duration::from_secs(3600),
            drain: Duration::from_secs(2),
            refresh: Duration::from_millis(500),
        }
    }
}
