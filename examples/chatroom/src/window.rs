//! Conversations as windows of messages. Pure.

use std::collections::HashMap;

use crate::entity::{ChatMessage, Turn};

/// Messages of a full window.
const WINDOW: usize = 10;
/// Messages of the smallest conversation worth keeping.
const SMALLEST: usize = 3;
/// Characters that are kept of a message: an example is no archive.
const TEXT: usize = 2000;

/// The messages of each room that are not part of an example yet.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    rooms: HashMap<String, Vec<Turn>>,
}

impl Windows {
    /// Adds a message; the window of its room if that is full now.
    pub(crate) fn add(&mut self, message: &ChatMessage) -> Option<Vec<Turn>> {
        let turns = self.rooms.entry(message.room.clone()).or_default();
        let text = message.text.chars().take(TEXT).collect();
        turns.push(Turn { sender: message.sender.clone(), text });
        if turns.len() < WINDOW { None } else { self.rooms.remove(&message.room) }
    }

    /// Takes the conversations that never filled a window but are long enough.
    pub(crate) fn take_rest(&mut self) -> Vec<(String, Vec<Turn>)> {
        let mut rest: Vec<_> = self.rooms.drain().filter(|(_, turns)| turns.len() >= SMALLEST).collect();
        rest.sort_by(|(a, _), (b, _)| a.cmp(b));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(room: &str, n: usize) -> ChatMessage {
        ChatMessage { id: n.to_string(), room: room.into(), sender: "you".into(), text: n.to_string(), sent_ms: 0 }
    }

    #[test]
    fn every_tenth_message_of_a_room_fills_its_window() {
        let mut windows = Windows::default();
        for n in 1..=30 {
            assert_eq!(windows.add(&message("general", n)).is_some_and(|turns| turns.len() == WINDOW), n % 10 == 0);
        }
        assert!(windows.take_rest().is_empty());
    }

    #[test]
    fn what_is_left_counts_from_three_messages_on() {
        let mut windows = Windows::default();
        (0..3).for_each(|n| drop(windows.add(&message("long", n))));
        (0..2).for_each(|n| drop(windows.add(&message("short", n))));
        let rest = windows.take_rest();
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].0.as_str(), rest[0].1.len()), ("long", 3));
        assert!(windows.take_rest().is_empty());
    }
}
