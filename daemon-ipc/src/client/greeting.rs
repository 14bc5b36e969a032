//! How far the two ends have got in telling each other what they can do.

use crate::{Capabilities, Hello};

/// How many that were given up are remembered; the server finds out about others by their deadline.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) enum Greeting {
    /// The first request will greet.
    Unsaid,
    /// The request of this number did; what was given up since is told once the answer says that the server understands it.
    Said { by: u64, given_up: Vec<u64> },
    /// The server answered with its own.
    Answered(Hello),
    /// The server answered without: it knows nothing but requests.
    Plain,
}

impl Greeting {
    /// Whether the request of this number, which is about to be sent, is the one that greets.
    pub(super) fn say(&mut self, number: u64) -> bool {
        let is_first = matches!(self, Self::Unsaid);
        if is_first {
            *self = Self::Said { by: number, given_up: Vec::new() };
        }
        is_first
    }

    /// An answer came to the request of this number: those that may now be told as given up.
    pub(super) fn heard(&mut self, number: Option<u64>, hello: Option<Hello>) -> Vec<u64> {
        let Self::Said { by, given_up } = self else { return Vec::new() };
        let given_up = std::mem::take(given_up);
        match hello {
            Some(hello) => *self = Self::Answered(hello),
            None if number == Some(*by) => *self = Self::Plain,
            None => {
                *self = Self::Said { by: *by, given_up };
                return Vec::new();
            }
        }
        if self.terms().cancel { given_up } else { Vec::new() }
    }

    /// Whether what answers say of it makes no difference any more.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Plain)
    }

    /// A request is given up. Whether the server is to be told now.
    pub(super) fn gives_up(&mut self, number: u64) -> bool {
        match self {
            Self::Said { given_up, .. } => {
                if given_up.len() < REMEMBERED {
                    given_up.push(number);
                }
                false
            }
            Self::Answered(_) => self.terms().cancel,
            Self::Unsaid | Self::Plain => false,
        }
    }

    /// What both ends can do.
    pub(super) fn terms(&self) -> Capabilities {
        match self {
            Self::Answered(hello) => hello.common(Capabilities::all()).capabilities,
            _ => Capabilities::default(),
        }
    }

    pub(super) fn hello(&self) -> Option<&Hello> {
        match self {
            Self::Answered(hello) => Some(hello),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_request_greets() {
        let mut greeting = Greeting::Unsaid;
        assert!(greeting.say(3) && !greeting.say(4));
    }

    #[test]
    fn what_is_given_up_before_the_answer_is_told_after_it() {
        let mut greeting = Greeting::Unsaid;
        greeting.say(0);
        assert!(!greeting.gives_up(1));
        assert_eq!(greeting.heard(Some(2), None), [0; 0]);
        assert_eq!(greeting.heard(Some(0), Some(Hello::new(Default::default()))), [1]);
        assert!(greeting.gives_up(2));
    }

    #[test]
    fn a_server_that_answers_without_a_greeting_is_told_nothing() {
        let mut greeting = Greeting::Unsaid;
        greeting.say(0);
        greeting.gives_up(1);
        assert_eq!(greeting.heard(Some(0), None), [0; 0]);
        assert!(!greeting.gives_up(2));
        assert_eq!(greeting.terms(), Capabilities::default());
    }
}
