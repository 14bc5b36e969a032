//! Queues that handlers of a block share by name: what they say of one must agree, and suit it.

use crate::attr::on_event::{Options, Overflow};
use crate::errors::Faults;
use crate::parse::block::Method;
use daemon_grammar::did_you_mean;
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::collections::BTreeMap;
use syn::{LitInt, LitStr, ext::IdentExt};

/// The handlers of a block that name a queue.
#[derive(Default)]
pub(crate) struct Queues(BTreeMap<String, Vec<Member>>);

/// One handler of a queue.
struct Member {
    queue: LitStr,
    method: String,
    /// Whether `#[cfg]`s may leave it out.
    conditional: bool,
    options: Options,
}

impl Queues {
    pub(crate) fn note(&mut self, options: &Options, method: &Method) {
        let Some(queue) = &options.queue else { return };
        let member = Member {
            queue: queue.clone(),
            method: method.sig.ident.unraw().to_string(),
            conditional: !method.cfgs.is_empty(),
            options: options.clone(),
        };
        self.0.entry(queue.value()).or_default().push(member);
    }

    /// Reports what does not agree or does not suit, each at its own place.
    pub(crate) fn check(&self, faults: &mut Faults) {
        for members in self.0.values() {
            members.iter().for_each(|member| member.suits(faults));
            agree("capacity", members, faults, |options| options.capacity.as_ref().map(number));
            agree("overflow", members, faults, |options| {
                options.overflow.as_ref().map(|(overflow, at)| (overflow.word().to_owned(), at.clone()))
            });
            agree("startup", members, faults, |options| options.startup.as_ref().map(number));
            if let [alone] = &members[..] {
                self.is_alone(alone, faults);
            }
        }
    }

    /// A queue that one handler names is one that nobody shares: most likely it is misspelt.
    fn is_alone(&self, member: &Member, faults: &mut Faults) {
        let name = member.queue.value();
        let others = self.0.keys().map(String::as_str).filter(|other| **other != name);
        let hint = match did_you_mean(&name, others) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remove `queue`, for a handler has a queue of its own without it".to_owned(),
        };
        faults.at(&member.queue, format!("no other handler shares the queue `{name}`; {hint}"));
    }
}

impl Member {
    /// Reports what no handler of a shared queue can have.
    fn suits(&self, faults: &mut Faults) {
        let (queue, method) = (self.queue.value(), &self.method);
        if let Some(calls) = &self.options.concurrency
            && calls.base10_parse::<u64>().is_ok_and(|calls| calls > 1)
        {
            let text = format!("its events are handled one at a time, so `{method}` cannot have a concurrency");
            faults.at(calls, format!("queue `{queue}`: {text}"));
        }
        if let Some((Overflow::Latest(_), at)) = &self.options.overflow {
            let text =
                format!("it keeps the order of its events, and `latest` does not; `{method}` needs a queue of its own");
            faults.at(at, format!("queue `{queue}`: {text}"));
        }
    }
}

fn number(literal: &LitInt) -> (String, TokenStream) {
    (literal.base10_digits().to_owned(), literal.to_token_stream())
}

/// Reports each member that says of an option what the first to speak of it does not; `of` is what one says, and where.
fn agree(
    option: &str,
    members: &[Member],
    faults: &mut Faults,
    of: impl Fn(&Options) -> Option<(String, TokenStream)>,
) {
    let mut said = members.iter().filter_map(|member| of(&member.options).map(|(said, at)| (member, said, at)));
    let Some((first, agreed, _)) = said.next() else { return };
    for (member, said, at) in said.filter(|(_, said, _)| *said != agreed) {
        if !(first.conditional && member.conditional) {
            let (queue, one, other) = (member.queue.value(), &first.method, &member.method);
            let text = format!("`{one}` gives it {option} {agreed} and `{other}` {option} {said}; give it once");
            faults.at(at, format!("queue `{queue}`: {text}"));
        }
    }
}
