//! `publishes(UserCreated, rooms::RoomClosed)`, of daemons; `publishes()` for one that publishes nothing.

use crate::attr::args::Args;
use crate::errors::compact;
use std::collections::BTreeSet;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{LitStr, Token, Type, punctuated::Punctuated};

/// A type of event.
struct Event(Type);

impl Parse for Event {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if let Ok(Some(text)) = input.fork().parse::<Option<LitStr>>() {
            let topic = text.value();
            let text = syn::Error::new(
                text.span(),
                format!(
                    "an event is named by its type, not by its topic {topic:?}; write the type, such as `UserCreated`"
                ),
            );
            return Err(text);
        }
        input.parse().map(Self)
    }
}

/// Reads `publishes(..)`; nothing if it is not there, or after a fault.
pub(crate) fn list(args: &mut Args<'_>) -> Option<Vec<Type>> {
    let group = args.listed("publishes", "UserCreated")?;
    let parsed = Punctuated::<Event, Token![,]>::parse_terminated.parse2(group.stream());
    let mut seen = BTreeSet::new();
    let mut list = Vec::new();
    for Event(ty) in args.faults.keep(parsed)? {
        let text = compact(&ty);
        if seen.insert(text.clone()) {
            list.push(ty);
        } else {
            args.faults.at(&ty, format!("`{text}` stands twice in `publishes`; keep one"));
        }
    }
    Some(list)
}
