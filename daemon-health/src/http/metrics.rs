//! What is answered on `/metrics`: the one place where this endpoint asks for metrics.

use daemon_core::HostHandle;

/// The type of the text format that scrapers ask for.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes a host's metrics as text.
pub(super) type Render = std::sync::Arc<dyn Fn(&HostHandle) -> String + Send + Sync>;
