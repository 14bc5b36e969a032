//! The library under another name, without preludes, with the usual names taken by something else.
#![no_implicit_prelude]
#![deny(warnings, missing_docs, unsafe_code)]
#![allow(non_camel_case_types, non_snake_case)]

mod lib {
    pub(crate) use ::daemon_core as other;
}

/// Not the usual one.
pub struct Result;
/// Not the usual one.
pub struct Box;
/// Not the usual one.
pub struct Option;
/// Not the usual one.
pub struct Arc;
/// Not the usual one.
pub struct str;
/// Not the usual one.
pub trait Send {}
/// Not the usual one.
pub trait Sync {}
/// Not the usual one.
pub trait Into {}
/// Not the usual one.
pub fn Ok() {}
/// Not the usual one.
pub fn Some() {}

/// An event.
#[derive(crate::lib::other::Event)]
#[event("a:b", local, crate = crate::lib::other)]
pub struct Seen;

/// An event that travels.
#[derive(crate::lib::other::Event)]
#[event("a:c", crate = crate::lib::other)]
pub struct Travels;
impl ::serde::Serialize for Travels {
    fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// A daemon.
#[crate::lib::other::daemon(crate = crate::lib::other, requires(Other), start_timeout = "1s")]
pub struct UserDaemon;

/// Another.
#[crate::lib::other::daemon(crate = crate::lib::other, no_handlers)]
pub struct Other;

#[crate::lib::other::daemon(crate = crate::lib::other)]
impl UserDaemon {
    #[on_event("a:b")]
    async fn seen(&self, _event: &Seen) {}

    #[on_event("a:*")]
    async fn any(&self, _event: &crate::lib::other::Envelope, _cx: &crate::lib::other::Context) {}

    #[every("5s", jitter = "10%", timeout = "1s")]
    async fn tick(&self) {}

    #[on_ready(Other)]
    async fn ready(&self) {}

    #[health]
    async fn health(&self) {}

    #[command]
    async fn number(&self, request: u32) -> crate::lib::other::Result<u32> {
        ::std::result::Result::Ok(request)
    }
}

impl crate::lib::other::DaemonBase for UserDaemon {}
impl crate::lib::other::DaemonBase for Other {}

fn main() {
    let _ = crate::lib::other::Definition::<UserDaemon>::of();
}
