//! What daemons are configured with: one value of the program's own type, which the host hands on as it is.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::task::drop_quietly;

/// What a host's daemons are configured with: a value of the program's own type, or nothing. Clones are cheap and share it. A panic in
/// its destructor is logged and goes no further, whoever drops the last.
///
/// ```
/// use daemon_core::Configuration;
///
/// struct Settings {
///     greeting: String,
/// }
///
/// let configuration = Configuration::new(Settings { greeting: "hello".to_owned() });
/// assert_eq!(configuration.get::<Settings>()?.greeting, "hello");
/// assert!(configuration.get::<String>().is_err());
/// # Ok::<(), daemon_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Configuration {
    value: Option<Arc<dyn Any + Send + Sync>>,
    type_name: &'static str,
}

impl Drop for Configuration {
    fn drop(&mut self) {
        drop_quietly(self.value.take());
    }
}

impl Configuration {
    /// A configuration that is this value.
    pub fn new<C: Send + Sync + 'static>(value: C) -> Self {
        Self { value: Some(Arc::new(value)), type_name: type_name::<C>() }
    }

    /// The value.
    ///
    /// # Errors
    /// [`Error::NoConfiguration`] if it is of another type, or there is none.
    pub fn get<C: Send + Sync + 'static>(&self) -> Result<&C, Error> {
        let value = self.value.as_ref().and_then(|value| value.downcast_ref());
        value.ok_or(Error::NoConfiguration { wanted: type_name::<C>(), given: self.type_name })
    }
}

/// No configuration.
impl Default for Configuration {
    fn default() -> Self {
        Self { value: None, type_name: "nothing" }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Configuration").field(&self.type_name).finish()
    }
}

/// The configuration that is in force, and the how manieth it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configured {
    pub(crate) number: u64,
    pub(crate) configuration: Configuration,
}
