//! A collection whose members have places that do not move.
//!
//! Taking a place and leaving one cost the same however many there are, and touch nothing of the other members. Room is had and
//! given back by blocks, so that neither growing nor shrinking copies anything.
//!
//! A block that becomes empty is given back, unless it is the only one with room.
//!
//! **Invariant:** a block that has room is in `room`, once; a full one is not.

/// A bit for each place of a block.
type Taken = u16;

/// How many places a block has: few, since most collections are small.
const BLOCK: u32 = Taken::BITS;

#[derive(Debug)]
struct Block<T> {
    taken: Taken,
    members: [Option<T>; BLOCK as usize],
}

/// Members at places.
#[derive(Debug)]
pub(super) struct Places<T> {
    blocks: Vec<Option<Box<Block<T>>>>,
    /// Blocks with room; the latest first.
    room: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), room: Vec::new() }
    }
}

impl<T> Default for Block<T> {
    fn default() -> Self {
        Self { taken: 0, members: [const { None }; BLOCK as usize] }
    }
}

impl<T> Places<T> {
    /// Takes a place for what `make` makes of it, and returns what it makes besides.
    pub(super) fn take<R>(&mut self, make: impl FnOnce(u32) -> (T, R)) -> R {
        let at = self.room.last().copied().unwrap_or_else(|| {
            let at = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX); // there is no memory for so many
            self.blocks.push(None);
            self.room.push(at);
            at
        });
        let block = self.blocks[at as usize].get_or_insert_default();
        let place = block.taken.trailing_ones();
        let (member, besides) = make(at * BLOCK + place);
        block.members[place as usize] = Some(member);
        block.taken |= 1 << place;
        if block.taken == Taken::MAX {
            self.room.pop();
        }
        besides
    }

    /// Leaves a place; who was there.
    pub(super) fn leave(&mut self, place: u32) -> Option<T> {
        let (at, place) = (place / BLOCK, place % BLOCK);
        let block = self.blocks.get_mut(at as usize)?;
        let here = block.as_mut()?;
        let member = here.members[place as usize].take()?;
        if here.taken == Taken::MAX {
            self.room.push(at);
        }
        here.taken &= !(1 << place);
        if here.taken == 0 && self.room.len() > 1 {
            *block = None;
        }
        Some(member)
    }

    /// Who is at a place.
    pub(super) fn at(&self, place: u32) -> Option<&T> {
        let block = self.blocks.get((place / BLOCK) as usize)?.as_ref()?;
        block.members[(place % BLOCK) as usize].as_ref()
    }

    pub(super) fn at_mut(&mut self, place: u32) -> Option<&mut T> {
        let block = self.blocks.get_mut((place / BLOCK) as usize)?.as_mut()?;
        block.members[(place % BLOCK) as usize].as_mut()
    }

    /// All members, by place.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten().flat_map(|block| block.members.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn blocks<T>(places: &Places<T>) -> usize {
        places.blocks.iter().flatten().count()
    }

    proptest! {
        #[test]
        fn members_stay_where_they_are_until_they_leave(steps in prop::collection::vec(any::<Option<u16>>(), 1..300)) {
            let (mut places, mut model) = (Places::default(), BTreeMap::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step.filter(|_| !model.is_empty()) {
                    None => {
                        let place = places.take(|place| (number, place));
                        prop_assert_eq!(model.insert(place, number), None, "nobody was there");
                    }
                    Some(any) => {
                        let place = *model.keys().nth(any as usize % model.len()).unwrap();
                        prop_assert_eq!(places.leave(place), model.remove(&place));
                        prop_assert_eq!(places.leave(place), None);
                    }
                }
                prop_assert!(places.iter().eq(model.values()));
                prop_assert!(model.iter().all(|(place, member)| places.at(*place) == Some(member)));
            }
        }
    }

    #[test]
    fn room_is_given_back_and_used_again() {
        let mut places = Places::default();
        (0..1_000).for_each(|number| places.take(|_| (number, ())));
        assert_eq!(blocks(&places), 1_000_usize.div_ceil(BLOCK as usize));
        for place in (0..1_000).filter(|place| place % 997 != 0) {
            places.leave(place);
        }
        assert_eq!(blocks(&places), 2, "those at 0 and at 997 are left");
        (0..998).for_each(|number| places.take(|_| (number, ())));
        assert_eq!(blocks(&places), 1_000_usize.div_ceil(BLOCK as usize));
        assert_eq!(places.iter().count(), 1_000);
    }

    #[test]
    fn who_comes_and_goes_makes_no_block_come_and_go() {
        let mut places = Places::default();
        (0..BLOCK).for_each(|number| places.take(|_| (number, ())));
        for _ in 0..3 {
            let at = places.take(|place| (BLOCK, place));
            assert_eq!((at, blocks(&places)), (BLOCK, 2));
            places.leave(at);
            assert_eq!(blocks(&places), 2);
        }
    }
}
