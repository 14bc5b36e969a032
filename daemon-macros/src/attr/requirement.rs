//! A daemon that another names: `DataDaemon`, or `Cache as "cache-eu"` for one of several instances.

use crate::attr::args::Args;
use crate::errors::compact;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{LitStr, Token, Type, punctuated::Punctuated};

/// A type and, where it has several instances, which of them.
pub(crate) struct Requirement {
    pub(crate) ty: Type,
    pub(crate) instance: Option<LitStr>,
}

impl Parse for Requirement {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if let Ok(Some(text)) = input.fork().parse::<Option<LitStr>>() {
            let text_value = text.value();
            return Err(syn::Error::new(
                text.span(),
                format!("a daemon is named by its type, not by {text_value:?}; write the type, such as `DataDaemon`"),
            ));
        }
        let ty = input.parse()?;
        let instance = if input.parse::<Option<Token![as]>>()?.is_some() {
            let name: LitStr = input.parse()?;
            daemon_grammar::name::check(&name.value()).map_err(|error| syn::Error::new(name.span(), error))?;
            Some(name)
        } else {
            None
        };
        Ok(Self { ty, instance })
    }
}

impl Requirement {
    /// The requirement as it is written.
    pub(crate) fn text(&self) -> String {
        let ty = compact(&self.ty);
        self.instance.as_ref().map_or(ty.clone(), |name| format!("{ty} as {:?}", name.value()))
    }
}

/// `key(A, B as "b")`.
pub(crate) fn list(args: &mut Args<'_>, key: &str) -> Vec<Requirement> {
    let Some(group) = args.listed(key, "DataDaemon") else { return Vec::new() };
    let parsed = Punctuated::<Requirement, Token![,]>::parse_terminated.parse2(group.stream());
    let list: Vec<_> = args.faults.keep(parsed).into_iter().flatten().collect();
    if list.is_empty() && group.stream().is_empty() {
        args.faults.at(&group, format!("`{key}` names no daemon; name one, or remove it"));
    }
    list
}
