//! What a call carries to a command and back: values inside the process, text where it comes from elsewhere.
//!
//! Who carries text need not know the types, and runs none of their code: reading the request, writing the reply and putting errors into
//! words are the command's affair, and done where it runs.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CallError;
use crate::error::Result;

/// A request or a reply.
#[derive(Debug)]
pub(crate) enum Carried {
    Value(Value),
    /// JSON.
    Text(String),
}

impl Carried {
    /// Answers a request with what `command` makes of it, in the form in which it came.
    pub(crate) async fn answer<Q, A, F>(self, command: impl FnOnce(Q) -> F) -> Result<Self, CallError>
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Result<A>>,
    {
        match self {
            Self::Value(request) => {
                let request = serde_json::from_value(request).map_err(CallError::request)?;
                let reply = command(request).await.map_err(CallError::failed)?;
                serde_json::to_value(reply).map(Self::Value).map_err(CallError::reply)
            }
            Self::Text(request) => {
                let request = serde_json::from_str(&request).map_err(|error| CallError::request(error).in_words())?;
                let reply = command(request).await.map_err(|error| CallError::failed(error).in_words())?;
                serde_json::to_string(&reply).map(Self::Text).map_err(|error| CallError::reply(error).in_words())
            }
        }
    }
}
