//! Who belongs in which room. Pure: users and rooms go in, in any order; the rooms that changed come out.

use std::collections::BTreeMap;

use crate::entity::{Member, Room, User, UserKind};

/// What is known of users and rooms.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    users: BTreeMap<String, UserKind>,
    rooms: BTreeMap<String, Room>,
}

impl Membership {
    /// A user is there: the rooms that gained a member.
    pub(crate) fn user(&mut self, user: &User, now_ms: u64) -> Vec<Room> {
        self.users.insert(user.id.clone(), user.kind);
        let rooms = self.rooms.values_mut();
        rooms.filter_map(|room| join(room, [(&user.id, user.kind)], now_ms).then(|| room.clone())).collect()
    }

    /// A room is there: the room again if it gained members.
    pub(crate) fn room(&mut self, room: &Room, now_ms: u64) -> Option<Room> {
        let known = self.rooms.entry(room.id.clone()).or_insert_with(|| room.clone());
        let joined = join(known, self.users.iter().map(|(id, kind)| (id, *kind)), now_ms);
        joined.then(|| known.clone())
    }

    /// A user is gone: the rooms that lost a member.
    pub(crate) fn user_gone(&mut self, user: &str) -> Vec<Room> {
        self.users.remove(user);
        let mut changed = Vec::new();
        for room in self.rooms.values_mut() {
            let before = room.members.len();
            room.members.retain(|member| member.user != user);
            if room.members.len() != before {
                changed.push(room.clone());
            }
        }
        changed
    }

    /// A room is gone.
    pub(crate) fn room_gone(&mut self, room: &str) {
        self.rooms.remove(room);
    }

    /// How many members each room has.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        self.rooms.iter().map(|(id, room)| (id.clone(), room.members.len())).collect()
    }
}

/// Adds who belongs in the room and is not there yet; tells whether anybody was added.
fn join<'a>(room: &mut Room, users: impl IntoIterator<Item = (&'a String, UserKind)>, joined_ms: u64) -> bool {
    let before = room.members.len();
    for (user, kind) in users {
        if belongs(kind, &room.id) && !room.members.iter().any(|member| member.user == *user) {
            room.members.push(Member { user: user.clone(), joined_ms });
        }
    }
    room.members.len() != before
}

/// The rule: everybody is in every room, but the academy is for personas.
fn belongs(kind: UserKind, room: &str) -> bool {
    kind == UserKind::Persona || room != "academy"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Status;

    fn user(id: &str, kind: UserKind) -> User {
        User { id: id.into(), display_name: id.into(), kind, status: Status::Online }
    }

    fn room(id: &str) -> Room {
        Room { id: id.into(), members: vec![], created_ms: 0 }
    }

    #[test]
    fn users_and_rooms_meet_whichever_comes_first() {
        let (ada, you) = (user("ada", UserKind::Persona), user("you", UserKind::Human));
        let mut users_first = Membership::default();
        users_first.user(&ada, 1);
        users_first.user(&you, 1);
        assert_eq!(users_first.room(&room("general"), 1).unwrap().members.len(), 2);
        assert_eq!(users_first.room(&room("academy"), 1).unwrap().members.len(), 1);

        let mut rooms_first = Membership::default();
        assert_eq!(rooms_first.room(&room("general"), 1), None);
        assert_eq!(rooms_first.room(&room("academy"), 1), None);
        assert_eq!(rooms_first.user(&ada, 1).len(), 2);
        assert_eq!(rooms_first.user(&you, 1).len(), 1);
        assert_eq!(rooms_first.counts(), users_first.counts());
    }

    #[test]
    fn hearing_the_same_news_twice_changes_nothing() {
        let ada = user("ada", UserKind::Persona);
        let mut membership = Membership::default();
        membership.user(&ada, 1);
        let joined = membership.room(&room("general"), 1).unwrap();
        assert_eq!(membership.room(&joined, 2), None);
        assert_eq!(membership.user(&ada, 2), []);
        assert_eq!(membership.user_gone("ada").len(), 1);
        assert_eq!(membership.user_gone("ada"), []);
    }
}
