//! What is checked while the user's crate is compiled, beyond what types say: dependency cycles, topics, periods,
//! static lists.
//!
//! Everything here is `const` and safe. A check makes a [`Text`] if something is wrong, and [`report`] panics with it,
//! which the compiler shows as one error at the caller. Nothing here runs in a program.

use std::time::Duration;

use crate::declaration::Declaration;

/// A message that is put together in a `const`. What does not fit is cut off and ends in `..`.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Self::CAPACITY],
    len: usize,
    cut: bool,
}

impl Text {
    const CAPACITY: usize = 1024;
    const EMPTY: Self = Self { bytes: [0; Self::CAPACITY], len: 0, cut: false };

    const fn of(parts: &[&str]) -> Self {
        let mut text = Self::EMPTY;
        text.push(parts);
        text
    }

    const fn push(&mut self, parts: &[&str]) {
        let mut p = 0;
        while p < parts.len() && !self.cut {
            let part = parts[p].as_bytes();
            // Only whole parts are added, so that no character is cut in two.
            if self.len + part.len() > Self::CAPACITY - 2 {
                self.bytes[self.len] = b'.';
                self.bytes[self.len + 1] = b'.';
                self.len += 2;
                self.cut = true;
                return;
            }
            let mut i = 0;
            while i < part.len() {
                self.bytes[self.len] = part[i];
                self.len += 1;
                i += 1;
            }
            p += 1;
        }
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "a check failed, and its message is not text",
        }
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Fails the compilation if a check found something.
#[track_caller]
pub const fn report(found: Option<Text>) {
    if let Some(text) = found {
        panic!("{}", text.as_str())
    }
}

/// The way from one daemon along its dependencies, searched depth first for a way back.
///
/// 1. `path[0]` is the daemon the walk began at; only cycles through it are reported.
/// 2. No daemon is walked twice, so the walk is linear in the graph.
/// 3. Of the daemons of a cycle that begin a walk of their own, the first by name reports it.
#[derive(Clone, Copy, Debug)]
pub struct Trail {
    path: [Stop; Self::DEPTH],
    depth: usize,
    seen: [&'static str; Self::BREADTH],
    count: usize,
    wants: bool,
    cycle: Option<Text>,
}

#[derive(Clone, Copy, Debug)]
struct Stop {
    name: &'static str,
    /// Whether the edge that leads here is a soft one.
    wanted: bool,
    /// Whether this daemon begins a walk of its own; one with type parameters cannot.
    begins: bool,
}

impl Trail {
    /// Deeper and wider graphs than these are left to `Host::check`.
    const DEPTH: usize = 64;
    const BREADTH: usize = 256;

    /// Before the first daemon.
    #[must_use]
    pub const fn start() -> Self {
        let nowhere = Stop { name: "", wanted: false, begins: false };
        let (path, seen) = ([nowhere; Self::DEPTH], [""; Self::BREADTH]);
        Self { path, depth: 0, seen, count: 0, wants: false, cycle: None }
    }

    /// The next daemon entered is one that the present one requires.
    pub const fn requires(&mut self) {
        self.wants = false;
    }

    /// The next daemon entered is one that the present one wants.
    pub const fn wants(&mut self) {
        self.wants = true;
    }

    /// Comes to a daemon; `true` if its dependencies are to be walked, after which [`Trail::leave`] is due.
    pub const fn enter(&mut self, name: &'static str, begins: bool) -> bool {
        if self.cycle.is_some() || self.depth == Self::DEPTH || self.count == Self::BREADTH {
            return false;
        }
        if self.depth > 0 && same(self.path[0].name, name) {
            self.cycle = self.told();
            return false;
        }
        let mut i = 0;
        while i < self.count {
            if same(self.seen[i], name) {
                return false;
            }
            i += 1;
        }
        self.seen[self.count] = name;
        self.count += 1;
        self.path[self.depth] = Stop { name, wanted: self.wants, begins };
        self.depth += 1;
        true
    }

    /// Goes back to the daemon before.
    pub const fn leave(&mut self) {
        self.depth -= 1;
    }

    /// The cycle found, in words.
    #[must_use]
    pub const fn cycle(&self) -> Option<Text> {
        self.cycle
    }

    /// The way back to its beginning, unless another walk tells it.
    const fn told(&self) -> Option<Text> {
        let root = self.path[0].name;
        let mut text = Text::of(&["dependency cycle: `", root, "`"]);
        let mut i = 1;
        while i < self.depth {
            let Stop { name, wanted, begins } = self.path[i];
            if begins && before(name, root) {
                return None;
            }
            text.push(&[if i == 1 { " " } else { ", which " }, verb(wanted), " `", name, "`"]);
            i += 1;
        }
        if self.depth == 1 {
            text.push(&[" ", verb(self.wants), " itself; remove it"]);
        } else {
            text.push(&[", which ", verb(self.wants), " `", root, "`; remove one, or use `#[on_ready(..)]` for it"]);
        }
        Some(text)
    }
}

const fn verb(wanted: bool) -> &'static str {
    if wanted { "wants" } else { "requires" }
}

/// Gives every type the edges of a leaf. A declared daemon has a constant of its own under this name, which goes first.
pub trait Leaves: Sized {
    /// What a walk finds here: nothing.
    const __EDGES: Leaf = Leaf;
}

impl<T> Leaves for T {}

/// A daemon that a walk cannot look into: one written by hand, or a type parameter.
#[derive(Clone, Copy, Debug)]
pub struct Leaf;

impl Leaf {
    /// Goes nowhere.
    pub const fn walk(&self, _: &mut Trail) {}
}

/// Whether a topic literal is the topic of its event's type; if not, why that is wrong.
#[must_use]
pub const fn topic(literal: &str, of_type: &str, event: &str) -> Option<Text> {
    if same(literal, of_type) {
        return None;
    }
    let parts = ["`", event, "` is published on \"", of_type, "\", not on \"", literal, "\"; leave the topic out"];
    Some(Text::of(&parts))
}

/// A period that the macro could not see; fails the compilation unless it is above zero and above its timeout.
#[track_caller]
#[must_use]
pub const fn period(interval: &str, period: Duration, timeout: Option<Duration>) -> Duration {
    if period.is_zero() {
        report(Some(Text::of(&["interval `", interval, "` has a period of zero; give it a positive one"])));
    }
    if let Some(timeout) = timeout
        && timeout.as_nanos() >= period.as_nanos()
    {
        let parts = [
            "the timeout of interval `",
            interval,
            "` is not below its period, so ticks could overlap; give it a shorter one",
        ];
        report(Some(Text::of(&parts)));
    }
    period
}

/// Whether a static list has every daemon that one of it requires, and no name twice; if not, what is wrong.
///
/// A requirement of a named instance may be met by `Host::daemon_as` outside the list, so `Host::check` sees to it.
#[must_use]
pub const fn assembled(list: &[(&str, Declaration)]) -> Option<Text> {
    let mut i = 0;
    while i < list.len() {
        let (name, declaration) = list[i];
        if index(list, name) < i {
            return Some(Text::of(&[
                "two daemons are named `",
                name,
                "`; remove one, or give it a name of its own: `Type as \"name\"`",
            ]));
        }
        let mut r = 0;
        while r < declaration.requires.len() {
            let required = declaration.requires[r];
            if !required.is_named() && index(list, required.name()) == list.len() {
                return Some(Text::of(&[
                    "`",
                    name,
                    "` requires `",
                    required.name(),
                    "`, which is missing here; add it",
                ]));
            }
            r += 1;
        }
        i += 1;
    }
    None
}

/// The first place of a name in a list, or the list's length.
const fn index(list: &[(&str, Declaration)], name: &str) -> usize {
    let mut i = 0;
    while i < list.len() && !same(list[i].0, name) {
        i += 1;
    }
    i
}

const fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && !before(a, b) && !before(b, a)
}

/// Whether `a` comes before `b` by their bytes.
const fn before(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

/// A list of daemons that the compiler checks: each that one of them requires is there, and no name stands twice.
///
/// Each entry is a type and, after `=`, its value; without one its [`Default`]. `Cache as "cache-eu" = ..` adds an
/// instance under a name of its own. The list goes to [`Host::daemons`](crate::Host::daemons).
///
/// ```no_run
/// use daemon_core::{DaemonBase, Host, daemon, daemons};
///
/// #[daemon(no_handlers)]
/// struct DataDaemon(String);
///
/// #[daemon(requires(DataDaemon), no_handlers)]
/// #[derive(Default)]
/// struct UserDaemon;
///
/// impl DaemonBase for DataDaemon {}
/// impl DaemonBase for UserDaemon {}
///
/// Host::new("chat").daemons(daemons![DataDaemon = DataDaemon("chat.db".to_owned()), UserDaemon]).run();
/// ```
#[macro_export]
macro_rules! daemons {
    ($($daemon:ty $(as $name:literal)? $(= $value:expr)?),+ $(,)?) => {{
        const _: () = $crate::__private::report($crate::__private::assembled(&[
            $(($crate::daemons!(@name $daemon $(as $name)?), <$daemon as $crate::Declared>::DECLARATION)),+
        ]));
        |host: $crate::Host| {
            $(let host = $crate::daemons!(@add host, $daemon $(as $name)?, $crate::daemons!(@value $daemon $(= $value)?));)+
            host
        }
    }};
    (@name $daemon:ty as $name:literal) => { $name };
    (@name $daemon:ty) => { <$daemon as $crate::Declared>::NAME };
    (@add $host:ident, $daemon:ty as $name:literal, $value:expr) => { $host.daemon_as::<$daemon>($name, $value) };
    (@add $host:ident, $daemon:ty, $value:expr) => { $host.daemon::<$daemon>($value) };
    (@value $daemon:ty = $value:expr) => { $value };
    (@value $daemon:ty) => { <$daemon as $crate::__private::Default>::default() };
}

#[cfg(test)]
mod tests;
