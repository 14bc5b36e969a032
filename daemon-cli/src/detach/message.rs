//! What the process in the background tells the one that started it: a line of JSON that nobody writes by accident.

use daemon_core::Settled;
use serde::{Deserialize, Serialize};

/// What the start came to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Message {
    #[serde(rename = "daemon-cli: settled")]
    pub(super) settled: Settled,
}

impl Message {
    /// The message that a line is, if it is one.
    pub(super) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).map(|json| json + "\n").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_from_what_a_program_prints() {
        let settled: Settled = serde_json::from_str(r#"{"refused":{"message":"no"}}"#).unwrap();
        let read = Message::read(Message { settled }.line().trim_end()).unwrap();
        assert_eq!(read.settled.to_string(), "no\n");
        for line in ["", "hello", "{}", r#"{"settled":{"refused":{"message":"no"}}}"#] {
            assert!(Message::read(line).is_none(), "{line}");
        }
    }
}
