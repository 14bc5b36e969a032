//! What the runtime is like that a connection is in.

use tokio::runtime::Handle;

/// Whether several threads run its tasks. Needs a runtime.
pub(crate) fn has_other_workers() -> bool {
    Handle::current().metrics().num_workers() > 1
}
