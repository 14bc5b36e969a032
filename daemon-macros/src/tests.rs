//! Whole expansions against files checked in beside this one, so that a change of what is generated is read like any
//! other.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p daemon-macros` writes them anew.

use crate::entry;
use proc_macro2::TokenStream;
use quote::quote;
use std::{fs, path::PathBuf};

fn snapshot(name: &str, expanded: TokenStream) {
    let file: syn::File = syn::parse2(expanded).unwrap();
    let text = prettyplease::unparse(&file);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/snapshots").join(format!("{name}.rs"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{} differs; if it should, run with UPDATE_SNAPSHOTS=1. Now:\n{text}", path.display());
}

#[test]
fn declaration() {
    let args = quote! {
        name = "user", requires(DataDaemon, Cache as "cache-eu"), wants(Metrics), publishes(UserCreated), start_timeout = "10s", plane = operations, optional,
        restart(on_failure, backoff = "1s..1m", limit = "10/1h")
    };
    snapshot(
        "declaration",
        entry::daemon(
            args,
            quote!(
                pub struct UserDaemon {
                    users: Users,
                }
            ),
        ),
    );
}

#[test]
fn generic_declaration_without_handlers() {
    let item = quote!(
        pub(crate) struct Cache<S: Store, const N: usize = 3>(S)
        where
            S: Clone;
    );
    snapshot("generic_declaration", entry::daemon(quote!(requires(S), no_handlers), item));
}

#[test]
fn wiring() {
    let block = quote! {
        impl UserDaemon {
            #[on_event("data:users:created", when = Self::is_new, capacity = 64, overflow = drop_oldest, startup = 9, on_error = restart)]
            async fn user_created(&self, event: &data::UserCreated) -> Result<()> { self.add(event).await }

            #[on_event(when = is_new, overflow = latest(key = user.id), concurrency = 4, isolated)]
            async fn renamed(&self, event: &Renamed) {}

            #[on_event(overflow = latest)]
            fn typing(&self, event: &Typing) {}

            #[on_event(queue = "rooms")]
            fn room_created(&self, event: &RoomCreated) {}

            #[on_event(queue = "rooms", isolated)]
            fn room_deleted(&self, event: &RoomDeleted) {}

            #[cfg(unix)]
            #[on_event("data:*")]
            fn any(&self, event: &Envelope, cx: &Context) {}

            #[every("30s", name = "sync", jitter = "10%", timeout = "20s", immediately, on_error = fail)]
            async fn sync(&self, cx: &Context) -> Result<()> { Ok(()) }

            #[every(Self::PERIOD)]
            async fn tick(&self) {}

            #[every(from = Self::period, overlap = concurrent(4), missed = burst, skip_if = busy)]
            async fn tock(&self) {}

            #[every("off", overlap = queue)]
            fn by_hand(&self) {}

            #[on_ready(Cache as "cache-eu")]
            async fn warm(&self) {}

            #[deferred("2s")]
            async fn later(&self) {}

            #[task(finite)]
            async fn import(&self) {}

            #[task(restart(always, backoff = "1s..1m"))]
            async fn pump(&self) {}

            #[health(startup, timeout = "1s")]
            async fn warmed_up(&self) {}

            #[health(liveness, every = "30s", cache = "5s", fails = 5, passes = 2, group = "stores", on_error = restart)]
            async fn answers(&self) {}

            #[health(every = "off", soft)]
            async fn fast(&self) {}

            fn helper(&self) {}
        }
    };
    snapshot("wiring", entry::daemon(TokenStream::new(), block));
}

#[test]
fn commands() {
    let block = quote! {
        impl<S: Store> Cache<S> {
            /// How many there are.
            ///
            /// Counted, not guessed.
            #[command]
            async fn stats(&self, request: StatsRequest, cx: &Context) -> Result<Stats> { todo() }

            #[cfg(feature = "admin")]
            #[command(name = "clear-all", timeout = "5m")]
            fn clear(&self) -> Cleared { todo() }
        }
    };
    snapshot("commands", entry::daemon(quote!(crate = ::other::core), block));
}

#[test]
fn event() {
    let item = quote! {
        #[event("data:users:created")]
        pub struct UserCreated<T> { pub id: T }
    };
    snapshot("event", entry::event(item));
    snapshot(
        "event_local",
        entry::event(quote!(
            #[event("data:*:created", local, retain)]
            enum Created {
                One,
            }
        )),
    );
}

#[test]
fn faults_keep_the_item_and_the_client() {
    let block = quote! {
        impl UserDaemon {
            #[every("5 parsecs")]
            async fn tick(&self) { self.helper() }

            #[daemon_core::command]
            async fn stats(&self) -> Result<Stats> { todo() }

            #[inline]
            fn helper(&self) {}
        }
    };
    snapshot("faults", entry::daemon(TokenStream::new(), block));
}

/// A body is not read, so one that is half typed costs nothing but itself.
#[test]
fn bodies_stay_raw() {
    let block = quote! {
        impl UserDaemon {
            #[every("5s")]
            async fn tick(&self) { let x = self. ; match }
        }
    };
    let expanded = entry::daemon(TokenStream::new(), block).to_string();
    assert!(!expanded.contains("compile_error"), "{expanded}");
    assert!(expanded.contains("let x = self . ; match"), "{expanded}");
    assert!(expanded.contains("Interval"), "{expanded}");
}

#[test]
fn a_half_typed_signature_costs_only_itself() {
    let block = quote! {
        impl UserDaemon {
            #[every("5s")]
            async fn tick(&self, cx:) {}

            #[every("5 parsecs")]
            async fn tock(&self) {}

            fn helper(&self) {}
        }
    };
    let expanded = entry::daemon(TokenStream::new(), block).to_string();
    assert_eq!(expanded.matches("compile_error").count(), 2, "{expanded}");
    assert!(expanded.contains("fn helper"), "{expanded}");
    assert!(!expanded.contains("every"), "{expanded}");
}

/// A macro of the user's may hand the block over in an invisible group.
#[test]
fn invisible_groups_are_seen_through() {
    let block = quote!(impl UserDaemon { #[every("5s")] fn tick(&self) {} });
    let group = proc_macro2::Group::new(proc_macro2::Delimiter::None, block);
    let expanded = entry::daemon(TokenStream::new(), quote!(#group)).to_string();
    assert!(expanded.contains("Interval") && !expanded.contains("every (\"5s\")"), "{expanded}");
}
