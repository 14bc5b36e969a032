//! Why an endpoint does not serve.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why an [`HttpEndpoint`](super::HttpEndpoint) does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address can be reached from other machines, and nobody said that it may.
    #[error(
        "{address} can be reached from other machines; listen on a loopback address such as 127.0.0.1, or allow it with \
         `HttpEndpoint::public` and a token"
    )]
    Public {
        /// The address.
        address: SocketAddr,
    },
    /// The address can be reached from other machines, and whoever reaches it would be answered.
    #[error("{address} can be reached from other machines, and there is no token; add one with `HttpEndpoint::token`")]
    PublicWithoutToken {
        /// The address.
        address: SocketAddr,
    },
    /// The token could be guessed, or cannot be sent in a header.
    #[error(
        "the token is {fault}; use at least {least} letters, digits or signs, such as those of `openssl rand -hex 32`"
    )]
    WeakToken {
        /// What is wrong with it.
        fault: &'static str,
        /// The least number of characters.
        least: usize,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; is another program there? Try another port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}
