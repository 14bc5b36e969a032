//! `#[on_event("topic or pattern", when = path, capacity = n, overflow = block, startup = n, queue = "name", concurrency = n, isolated,
//! on_error = log)]`.

use crate::attr::args::{Args, Known};
use crate::attr::on_error::{self, OnError};
use crate::errors::Faults;
use daemon_grammar::topic;
use proc_macro2::TokenStream;
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{LitInt, LitStr, Member, Path, Token};

pub(super) const KNOWN: Known = Known {
    attribute: "#[on_event]",
    options: &["when", "capacity", "overflow", "startup", "queue", "concurrency", "isolated", "on_error"],
    later: &[],
};

const LATEST: Known = Known { attribute: "latest(..)", options: &["key"], later: &[] };

/// What a full queue does.
#[derive(Clone)]
pub(crate) enum Overflow {
    Block,
    DropOldest,
    DropNewest,
    /// Only the latest event of each topic waits, or of each topic and value of a field.
    Latest(Option<Field>),
}

impl Overflow {
    /// The word that is written for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Latest(_) => "latest",
        }
    }
}

/// A field, or a field of a field: `id`, `0`, `user.id`.
#[derive(Clone)]
pub(crate) struct Field(pub(crate) Punctuated<Member, Token![.]>);

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Punctuated::parse_separated_nonempty(input).map(Self)
    }
}

impl ToTokens for Field {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(self.0.pairs());
    }
}

/// What the marker says besides the topic.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// The function that says which events it wants.
    pub(crate) when: Option<Path>,
    pub(crate) capacity: Option<LitInt>,
    /// The policy, and where it is written.
    pub(crate) overflow: Option<(Overflow, TokenStream)>,
    pub(crate) startup: Option<LitInt>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) concurrency: Option<LitInt>,
    pub(crate) isolated: bool,
    pub(crate) on_error: Option<OnError>,
}

/// What the marker says.
#[derive(Default)]
pub(crate) struct OnEvent {
    pub(crate) topic: Option<LitStr>,
    /// Whether there is a topic that cannot be read, which has been reported.
    pub(crate) faulty: bool,
    pub(crate) options: Options,
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> OnEvent {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let leading = args.leading();
    let is_given = leading.is_some();
    let topic = leading.and_then(|tokens| match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(literal) => args.read(&literal, topic::check_pattern).map(|()| literal),
        Err(_) => {
            args.faults.at(tokens, "a topic is a string, such as \"data:users:created\"; quote it, or leave it out");
            None
        }
    });
    let options = Options {
        when: args.value("when", "the path of a function", "is_new"),
        capacity: args.count("capacity", "64"),
        overflow: overflow(&mut args),
        startup: args.count("startup", "8192"),
        queue: args.named("queue", "users"),
        concurrency: args.count("concurrency", "4"),
        isolated: args.flag("isolated"),
        on_error: on_error::parse(&mut args),
    };
    args.misplaced(&["retain"], "belongs to the event, whoever handles it: `#[event(\"..\", retain)]`");
    args.finish();
    OnEvent { faulty: is_given && topic.is_none(), topic, options }
}

/// `overflow = word`, or `overflow = latest(key = field)`.
fn overflow(args: &mut Args<'_>) -> Option<(Overflow, TokenStream)> {
    let at = args.tokens("overflow");
    let overflow = match args.listed_value("overflow", "latest") {
        Some(list) => Overflow::Latest(Some(key(list, args.faults)?)),
        None => match args.word("overflow", &["block", "drop_oldest", "drop_newest", "latest"], &[])? {
            "drop_oldest" => Overflow::DropOldest,
            "drop_newest" => Overflow::DropNewest,
            "latest" => Overflow::Latest(None),
            _ => Overflow::Block,
        },
    };
    Some((overflow, at))
}

/// What stands between the parentheses of `latest(..)`.
fn key(list: proc_macro2::Group, faults: &mut Faults) -> Option<Field> {
    let before = faults.count();
    let mut inner = Args::split(list.stream(), &LATEST, faults);
    let field = inner.value("key", "a field of the event", "id");
    inner.finish();
    if field.is_none() && faults.count() == before {
        faults.at(list, "`latest(..)` names no key; write `latest(key = id)`, or `latest` alone");
    }
    field
}
