//! A server that answers as it likes: no caller gets what is not its own, and none waits for ever.

use crate::raw::Raw;
use daemon_ipc::{Connection, Memory};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::time::timeout;

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
enum Whim {
    Answer,
    Twice,
    Never,
    /// Later than some that came after it.
    Later,
    Fail,
    /// Answers with what is no answer.
    Ask,
    /// Answers under an id that was never given, or is of another form, before it answers.
    Stray(&'static str),
    /// Says that more follows.
    More,
    /// Says nothing of it, but that more follows.
    Nothing,
    /// Tells of an event first.
    Tell,
    /// What makes no sense under the id.
    Nonsense,
    /// Ends in the middle of the answer.
    End,
}

fn any_whim() -> impl Strategy<Value = Whim> {
    prop_oneof![
        8 => Just(Whim::Answer),
        4 => prop::sample::select(vec![Whim::Twice, Whim::Later, Whim::More, Whim::Nothing, Whim::Tell]),
        3 => prop::sample::select(vec![Whim::Never, Whim::Fail, Whim::Ask, Whim::Nonsense]),
        3 => prop::sample::select(vec![r#""999999""#, r#""18446744073709551615""#, r#""18446744073709551616""#, "1", "null", "{}", r#""""#, r#""-1""#])
            .prop_map(Whim::Stray),
        1 => Just(Whim::End),
    ]
}

/// How a caller asks.
#[derive(Clone, Debug)]
struct Manner {
    limit: u64,
    /// After how many milliseconds it gives up.
    patience: Option<u64>,
    streams: bool,
}

fn any_manner() -> impl Strategy<Value = Manner> {
    (0..40_u64, prop::option::of(0..20_u64), prop::bool::weighted(0.2)).prop_map(|(limit, patience, streams)| Manner {
        limit,
        patience,
        streams,
    })
}

/// What there is to say to the request of this id and number; `None` of one that ends the connection.
fn answers(whim: Whim, id: &str, number: u64) -> (String, bool) {
    let answer = format!("{{\"id\":{id},\"type\":\"response\",\"payload\":{number}}}\n");
    let said = match whim {
        Whim::Answer | Whim::Later => answer,
        Whim::Twice => answer.repeat(2),
        Whim::Never => String::new(),
        Whim::Fail => format!("{{\"id\":{id},\"type\":\"error\",\"payload\":{{\"message\":\"no\"}}}}\n"),
        Whim::Ask => format!("{{\"id\":{id},\"type\":\"request\",\"payload\":{number}}}\n"),
        Whim::Stray(other) => format!("{{\"id\":{other},\"type\":\"response\",\"payload\":0}}\n{answer}"),
        Whim::More => format!("{{\"id\":{id},\"type\":\"response\",\"more\":true,\"payload\":{number}}}\n{answer}"),
        Whim::Nothing => format!("{{\"id\":{id},\"type\":\"response\",\"more\":true}}\n{answer}"),
        Whim::Tell => format!("{{\"type\":\"event\",\"topic\":\"x\",\"payload\":0}}\n{answer}"),
        Whim::Nonsense => format!("{{\"id\":{id},\"type\":\"response\",\"payload\":[}}\n"),
        Whim::End => answer[..answer.len() / 2].to_owned(),
    };
    (said, matches!(whim, Whim::End))
}

async fn serve(stream: DuplexStream, whims: &[Whim], piece: usize, behaves: &AtomicBool) {
    let mut peer = Raw::over(stream);
    let (mut turns, mut later) = (whims.iter().cycle(), String::new());
    while let Some(line) = peer.line().await {
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        if message["type"] != "request" {
            continue; // it is given up, or more may be sent
        }
        let whim = if behaves.load(Ordering::Relaxed) { Whim::Answer } else { *turns.next().unwrap() };
        let (said, ends) = answers(whim, &message["id"].to_string(), message["payload"].as_u64().unwrap());
        let said = match whim {
            Whim::Later => {
                later.push_str(&said);
                continue;
            }
            _ => said + &std::mem::take(&mut later),
        };
        for piece in said.as_bytes().chunks(piece) {
            peer.send_or_not(piece).await;
            tokio::task::yield_now().await;
        }
        if ends {
            return;
        }
    }
}

/// Asks once; whatever comes of it is its own.
async fn ask(connection: Connection, number: u64, manner: Manner) {
    let asking = async {
        let connection = connection.with_timeout(Duration::from_millis(manner.limit));
        if manner.streams {
            let Ok(mut items) = connection.stream::<_, u64>(&number).await else { return };
            while let Some(Ok(item)) = items.next().await {
                assert_eq!(item, number);
            }
        } else if let Ok(answer) = connection.call::<_, u64>(&number).await {
            assert_eq!(answer, number);
        }
    };
    // An answer of many items has no limit of its own.
    let patience = manner.patience.or(manner.streams.then_some(30)).unwrap_or(10_000);
    timeout(Duration::from_millis(patience), asking).await.ok(); // or it has given up
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nobody_gets_what_is_not_its_own_or_waits_for_ever(
        whims in prop::collection::vec(any_whim(), 1..12),
        manners in prop::collection::vec(any_manner(), 1..60),
        piece in 1..200_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (place, behaves) = (Memory::new(), Arc::new(AtomicBool::new(false)));
            let mut listener = place.listen().unwrap();
            let server = (whims.clone(), Arc::clone(&behaves));
            tokio::spawn(async move {
                loop {
                    let (stream, (whims, behaves)) = (listener.accept().await, server.clone());
                    tokio::spawn(async move { serve(stream, &whims, piece, &behaves).await });
                }
            });
            let connection = Connection::builder(&place).build();
            let mut callers = tokio::task::JoinSet::new();
            for (number, manner) in manners.into_iter().enumerate() {
                callers.spawn(ask(connection.clone(), number as u64, manner));
                if number % 7 == 0 {
                    tokio::time::sleep(Duration::from_millis(number as u64 % 5)).await;
                }
            }
            while let Some(ended) = timeout(Duration::from_secs(5), callers.join_next()).await.expect("none waits for ever") {
                ended.unwrap();
            }
            behaves.store(true, Ordering::Relaxed);
            // Of the same connection, if it is one still.
            let again = connection.call::<_, u64>(&77).await;
            assert!(again.as_ref().is_ok_and(|answer| *answer == 77) || !connection.is_connected(), "{again:?}");
            assert_eq!(connection.call::<_, u64>(&78).await.unwrap(), 78);
        });
    }
}
