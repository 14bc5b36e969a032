//! `proxy`: forwards a request to the upstream server, within a time limit.

use std::time::Duration;

use daemon_core::{Context, DaemonBase, Result, daemon};
use hyper::Uri;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chaos::Strike;
use crate::upstream::{self, Answer};

const TIME_LIMIT: Duration = Duration::from_secs(30);

#[daemon(name = "proxy")]
pub(crate) struct ProxyDaemon {
    upstream: Uri,
}

/// What is asked of the upstream.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Forward {
    /// With its query, such as `/rooms?all`.
    pub(crate) path: String,
    /// A shorter time limit than the default of 30 seconds.
    #[serde(default)]
    pub(crate) within_ms: Option<u64>,
}

#[derive(Debug, Error)]
#[error("the upstream {upstream} did not answer within {limit:?}")]
struct TooLate {
    upstream: Uri,
    limit: Duration,
}

#[daemon]
impl ProxyDaemon {
    /// Forwards a GET request and brings back the answer.
    #[command]
    async fn fetch(&self, request: Forward) -> Result<Answer> {
        let limit = request.within_ms.map_or(TIME_LIMIT, |ms| Duration::from_millis(ms).min(TIME_LIMIT));
        match tokio::time::timeout(limit, upstream::get(&self.upstream, &request.path)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(TooLate { upstream: self.upstream.clone(), limit }.into()),
        }
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for ProxyDaemon {}

impl ProxyDaemon {
    pub(crate) fn new(upstream: Uri) -> Self {
        Self { upstream }
    }
}
