//! Names that follow from identifiers, and names that must be the only one of their kind.

use crate::errors::Faults;
use crate::parse::block::Method;
use std::collections::BTreeMap;
use syn::{GenericParam, Generics, Ident, LitStr, ext::IdentExt};

/// `UserCacheDaemon` as an operator writes it: `user-cache`. A bare `Daemon` keeps its name.
pub(crate) fn kebab(ident: &str) -> String {
    let short = ident.strip_suffix("Daemon").filter(|rest| !rest.is_empty()).unwrap_or(ident);
    let letters: Vec<char> = short.trim_matches('_').chars().collect();
    let mut name = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let ends_capitals = letters.get(i + 1).is_some_and(|next| next.is_lowercase());
        let starts_word =
            letter.is_uppercase() && before.is_some_and(|b| b != '_' && (!b.is_uppercase() || ends_capitals));
        if starts_word {
            name.push('-');
        }
        if *letter == '_' {
            name.push('-');
        } else {
            name.extend(letter.to_lowercase());
        }
    }
    name
}

/// The method's own name, as a literal at the method.
pub(crate) fn of_method(method: &Ident) -> LitStr {
    LitStr::new(&method.unraw().to_string(), method.span())
}

/// The name given, or the method's, which must then be a name that operators can type.
pub(crate) fn given_or_own(given: Option<LitStr>, method: &Ident, marker: &str, faults: &mut Faults) -> LitStr {
    given.unwrap_or_else(|| {
        let own = of_method(method);
        if let Err(error) = daemon_grammar::name::check(&own.value()) {
            faults.at(
                method,
                format!("the method's name does not serve: {error}, or write `#[{marker}(.., name = \"..\")]`"),
            );
        }
        own
    })
}

/// The names of a block's type and const parameters.
pub(crate) fn params(generics: &Generics) -> Vec<String> {
    let named = generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(param.ident.to_string()),
        GenericParam::Const(param) => Some(param.ident.to_string()),
        GenericParam::Lifetime(_) => None,
    });
    named.collect()
}

/// Names already given, by kind of row.
#[derive(Default)]
pub(crate) struct Taken {
    names: BTreeMap<(&'static str, String), bool>,
}

impl Taken {
    /// Notes a name; a second one of its kind is a fault, unless `#[cfg]`s may keep the two apart.
    pub(crate) fn add(&mut self, kind: &'static str, name: &LitStr, method: &Method, faults: &mut Faults) {
        let conditional = !method.cfgs.is_empty();
        let key = (kind, name.value());
        if let Some(first_conditional) = self.names.get(&key) {
            if !(conditional && *first_conditional) {
                let text = name.value();
                faults.at(name, format!("there is already {kind} named `{text}`; give one of them another name"));
            }
            return;
        }
        self.names.insert(key, conditional);
    }
}

#[cfg(test)]
mod tests {
    use super::kebab;

    #[test]
    fn kebab_reads_like_words() {
        let cases = [
            ("UserDaemon", "user"),
            ("UserCacheDaemon", "user-cache"),
            ("HTTPServer", "http-server"),
            ("Cache2", "cache2"),
            ("Daemon", "daemon"),
            ("DaemonWatcher", "daemon-watcher"),
            ("Snake_Case", "snake-case"),
        ];
        for (ident, name) in cases {
            assert_eq!(kebab(ident), name, "{ident}");
        }
    }
}
