//! A thousand types of event, each on its own topic, handled by daemons of ten handlers.
//!
//! The daemons are what the macros would write: so many types are more than anybody would annotate.

use std::sync::Arc;

use benches::{Subscriber, UserCreated};
use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Event, EventHandler, Host, PublishError, Wired, place,
};

/// An event of the type of that number.
struct Numbered<const N: usize>(UserCreated);

impl<const N: usize> Numbered<N> {
    const NAME: [u8; 16] = name(N);
}

/// `bench:topics:` and three digits.
const fn name(number: usize) -> [u8; 16] {
    let mut name = *b"bench:topics:000";
    name[13] += (number / 100) as u8;
    name[14] += (number / 10 % 10) as u8;
    name[15] += (number % 10) as u8;
    name
}

impl<const N: usize> Event for Numbered<N> {
    const TOPIC: &'static str = match str::from_utf8(&Self::NAME) {
        Ok(name) => name,
        Err(_) => panic!("digits are text"),
    };
}

/// A daemon that handles the ten types from `TEN * 10` on.
struct Listener<const TEN: usize>(Vec<Arc<Subscriber>>);

impl<const TEN: usize> Declared for Listener<TEN> {
    const DECLARATION: Declaration = Declaration::new("listener");
}

type Publish = fn(&Context, &str, UserCreated) -> Result<(), PublishError>;

macro_rules! wire {
    ($definition:ident, $ten:tt, $($unit:tt)+) => {$(
        $definition.on_event(EventHandler::typed::<Numbered<{ $ten * 10 + $unit }>>(
            concat!("topic-", $unit),
            |daemon: &Self, _| place(move |event: Arc<Numbered<{ $ten * 10 + $unit }>>| async move {
                daemon.0[$unit].on_event_async(&event.0).await;
                (event, Ok(()))
            }),
        ).capacity(256));
    )+};
}

macro_rules! publish {
    ($ten:tt, $($unit:tt)+) => {
        [$(|cx, topic, event| cx.try_publish_to(topic, Numbered::<{ $ten * 10 + $unit }>(event))),+]
    };
}

macro_rules! listeners {
    ($($ten:tt)+) => {
        $(
            impl Wired for Listener<$ten> {
                fn wire(definition: &mut Definition<Self>) {
                    wire!(definition, $ten, 0 1 2 3 4 5 6 7 8 9);
                }
            }

            impl DaemonBase for Listener<$ten> {}
        )+

        /// How an event of each type is published.
        const PUBLISH: &[[Publish; 10]] = &[$(publish!($ten, 0 1 2 3 4 5 6 7 8 9)),+];

        /// Adds a daemon for every ten subscribers.
        pub fn listeners(mut host: Host, subscribers: &[Arc<Subscriber>]) -> Host {
            $(
                if let Some(some) = subscribers.get($ten * 10..$ten * 10 + 10) {
                    host = host.daemon_as(concat!("listener-", $ten), Listener::<$ten>(some.to_vec()));
                }
            )+
            host
        }
    };
}

listeners!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19
    20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
    40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
    60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79
    80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99
);

/// How many types there are.
pub const TYPES: usize = 10 * PUBLISH.len();

/// Publishes an event of the type of that number.
pub fn publish(cx: &Context, number: usize, topic: &str, event: UserCreated) -> Result<(), PublishError> {
    PUBLISH[number / 10][number % 10](cx, topic, event)
}
