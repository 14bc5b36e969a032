//! What a handler, tick, task or check may return.

use super::{BoxError, Result};

/// What user code may return: nothing, or a result whose error can be boxed.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "return nothing, or `Result<()>`",
    note = "any error that converts into `Box<dyn std::error::Error + Send + Sync>` will do"
)]
pub trait IntoOutcome {
    /// The outcome as the host counts it.
    ///
    /// # Errors
    /// The error the user's code returned.
    fn into_outcome(self) -> Result<()>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<BoxError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<()> {
        self.map_err(Into::into)
    }
}
