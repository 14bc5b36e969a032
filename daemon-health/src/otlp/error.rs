//! Why no spans are sent.

use daemon_core::BoxError;
use thiserror::Error;

/// Why spans cannot be sent as it is asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// It is no address of a collector.
    #[error("`{endpoint}` is no address of a collector; write it as http://127.0.0.1:4318")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// The collector is to be talked to in secret.
    #[error("`{endpoint}` asks for TLS, which is not spoken here; send to a collector on this machine, which sends on")]
    Tls {
        /// What was given.
        endpoint: String,
    },
    /// It is to be sent in another way than there is.
    #[error("{variable} is `{protocol}`, and only http/protobuf is spoken here")]
    Protocol {
        /// The variable of the environment.
        variable: &'static str,
        /// What it says.
        protocol: String,
    },
    /// A number is none.
    #[error("{variable} is `{value}`, which is no number above 0")]
    Number {
        /// The variable of the environment.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// The filter cannot be read.
    #[error("the filter of spans cannot be read: {fault}")]
    Filter {
        /// Why.
        fault: String,
    },
    /// Another setting is not possible.
    #[error("spans cannot be sent in this way")]
    Refused(#[source] BoxError),
}

impl OtlpError {
    pub(super) fn filter(error: &tracing_subscriber::filter::ParseError) -> Self {
        Self::Filter { fault: error.to_string() }
    }
}
