//! Taps: what they see, what they say they missed, and their end.

use super::*;

/// A tap of one event, beside a publisher that is faster: what it saw and what it says it missed are together what was published,
/// and each stands where it was.
///
/// Caught: the number of lost events read before the lock under which the next is taken.
#[test]
fn a_tap_says_how_many_it_missed_and_where() {
    explore(|| {
        let bus = Bus::new();
        let mut tap = bus.tap_of("model", "**", 1).unwrap();
        let publisher = bus.publisher("model");
        let other = thread::spawn({
            let bus = bus.clone();
            move || {
                (1..=3).for_each(|number| publisher.try_publish(Nth::<0>(number)).unwrap());
                bus.end_taps();
            }
        });
        let mut last = 0;
        block_on(async {
            while let Some(seen) = tap.recv().await {
                last += seen.missed + 1;
                assert_eq!(seen.event.downcast::<Nth<0>>().unwrap().0, last);
            }
        });
        assert_eq!(last, 3);
        other.join().unwrap();
    });
}

/// A tap is made while all taps are ended, since the host is: it ends, too, whichever comes first.
///
/// Caught: a bus that does not remember that it is over.
#[test]
fn a_tap_made_while_the_host_ends_ends() {
    explore(|| {
        let bus = Bus::new();
        let ending = bus.clone();
        let other = thread::spawn(move || ending.end_taps());
        let mut tap = bus.tap("model", "**").unwrap();
        assert!(block_on(tap.recv()).is_none());
        other.join().unwrap();
    });
}
