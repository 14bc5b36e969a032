//! The rules of a declaration.

use crate::attr::daemon::DaemonAttr;
use crate::attr::requirement::Requirement;
use crate::errors::Faults;
use crate::model::Declared;
use crate::parse::declaration::Declaration;
use crate::validate::shape::mentions;
use crate::validate::{krate, names};
use quote::ToTokens;
use std::collections::BTreeMap;
use syn::{Ident, LitStr, ext::IdentExt};

/// Puts attribute and struct together.
pub(crate) fn declared(attr: DaemonAttr, item: Declaration, faults: &mut Faults) -> Declared {
    let name = attr.name.unwrap_or_else(|| default_name(&item.ident, faults));
    named_once(&attr.requires, &attr.wants, faults);
    for requirement in attr.requires.iter().chain(&attr.wants) {
        if mentions(&requirement.ty, &["Self".to_owned()]).is_some() {
            faults.at(
                &requirement.ty,
                "`Self` does not say which daemon; write a type's name, and not this daemon's own",
            );
        }
    }
    Declared {
        krate: krate(attr.krate),
        vis: item.vis,
        ident: item.ident,
        generics: item.generics,
        name,
        requires: attr.requires,
        wants: attr.wants,
        publishes: attr.publishes,
        restart: attr.restart,
        start_timeout: attr.start_timeout,
        stop_timeout: attr.stop_timeout,
        operations: attr.operations,
        optional: attr.optional,
        no_handlers: attr.no_handlers,
    }
}

/// `UserCacheDaemon` is `user-cache`.
fn default_name(ident: &Ident, faults: &mut Faults) -> LitStr {
    let text = names::kebab(&ident.unraw().to_string());
    let name = LitStr::new(&text, ident.span());
    if let Err(error) = daemon_grammar::name::check(&text) {
        faults
            .at(ident, format!("the struct's name makes no daemon name: {error}; or write `#[daemon(name = \"..\")]`"));
    }
    name
}

fn named_once(requires: &[Requirement], wants: &[Requirement], faults: &mut Faults) {
    let mut seen = BTreeMap::new();
    for (kind, requirement) in requires.iter().map(|r| ("requires", r)).chain(wants.iter().map(|w| ("wants", w))) {
        let text = requirement.text();
        match seen.insert(text.clone(), kind) {
            None => {}
            Some(first) if first == kind => {
                faults.at(requirement.ty.to_token_stream(), format!("`{text}` stands twice in `{kind}`; keep one"));
            }
            Some(_) => {
                let text = format!("`{text}` stands in `requires` and in `wants`; keep the one in `requires`");
                faults.at(requirement.ty.to_token_stream(), text);
            }
        }
    }
}
