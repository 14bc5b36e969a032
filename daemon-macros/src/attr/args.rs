//! The list between an attribute's parentheses: split first, read by key afterwards.
//!
//! Splitting before reading is what lets one fault leave the other options readable.

use crate::errors::{Faults, compact, one_of};
use daemon_grammar::{GrammarError, did_you_mean};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{ExprPath, Ident, LitInt, LitStr, ext::IdentExt, parse::Parse};

/// One argument and how it was written.
pub(crate) enum Arg {
    /// `immediately`
    Flag(Ident),
    /// `name = "x"`
    Assigned(Ident, TokenStream),
    /// `requires(A, B)`
    Listed(Ident, Group),
    /// `"5s"`, `self::PERIOD`
    Positional(TokenStream),
}

impl Arg {
    fn new(tokens: TokenStream) -> Self {
        let trees: Vec<_> = tokens.clone().into_iter().collect();
        match &trees[..] {
            [TokenTree::Ident(key)] => Self::Flag(key.clone()),
            [TokenTree::Ident(key), TokenTree::Group(group)] => Self::Listed(key.clone(), group.clone()),
            [TokenTree::Ident(key), TokenTree::Punct(equals), value @ ..] if equals.as_char() == '=' => {
                Self::Assigned(key.clone(), value.iter().cloned().collect())
            }
            _ => Self::Positional(tokens),
        }
    }

    fn key(&self) -> Option<&Ident> {
        match self {
            Self::Flag(key) | Self::Assigned(key, _) | Self::Listed(key, _) => Some(key),
            Self::Positional(_) => None,
        }
    }
}

impl ToTokens for Arg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Flag(key) => quote!(#key),
            Self::Assigned(key, value) => quote!(#key = #value),
            Self::Listed(key, group) => quote!(#key #group),
            Self::Positional(value) => value.clone(),
        });
    }
}

/// Options that an attribute knows, and those it will know: `(option, what works today)`.
pub(crate) struct Known {
    /// The attribute as messages name it, such as `#[every]`; of a list in one, `restart(..)`.
    pub(crate) attribute: &'static str,
    pub(crate) options: &'static [&'static str],
    pub(crate) later: &'static [(&'static str, &'static str)],
}

/// The arguments of one attribute; reading one takes it out, [`Args::finish`] reports what is left.
pub(crate) struct Args<'f> {
    known: &'static Known,
    list: Vec<Arg>,
    pub(crate) faults: &'f mut Faults,
}

impl<'f> Args<'f> {
    pub(crate) fn split(tokens: TokenStream, known: &'static Known, faults: &'f mut Faults) -> Self {
        let mut list = Vec::new();
        let mut chunk = TokenStream::new();
        for tree in tokens {
            match &tree {
                TokenTree::Punct(comma) if comma.as_char() == ',' => {
                    if chunk.is_empty() {
                        faults.at(&tree, "an option is missing before this comma; remove the comma");
                    } else {
                        list.push(Arg::new(std::mem::take(&mut chunk)));
                    }
                }
                _ => chunk.extend([tree]),
            }
        }
        if !chunk.is_empty() {
            list.push(Arg::new(chunk));
        }
        Self { known, list, faults }
    }

    /// The first argument, if it has no key. A word that begins with a capital is a constant, not an option.
    pub(crate) fn leading(&mut self) -> Option<TokenStream> {
        let is_value = match self.list.first()? {
            Arg::Positional(_) => true,
            Arg::Flag(word) => word.unraw().to_string().starts_with(char::is_uppercase),
            _ => false,
        };
        is_value.then(|| self.list.remove(0).into_token_stream())
    }

    /// The option of that name; later ones of the same name are faults.
    fn take(&mut self, key: &str) -> Option<Arg> {
        let mut first = None;
        for arg in std::mem::take(&mut self.list) {
            if arg.key().is_none_or(|found| found != key) {
                self.list.push(arg);
            } else if first.is_none() {
                first = Some(arg);
            } else {
                self.faults.at(arg.key(), format!("`{key}` is given twice; keep one"));
            }
        }
        first
    }

    /// `key`, without a value.
    pub(crate) fn flag(&mut self, key: &str) -> bool {
        match self.take(key) {
            None => false,
            Some(Arg::Flag(_)) => true,
            Some(other) => {
                self.faults.at(other, format!("`{key}` takes no value; write `{key}` alone"));
                true
            }
        }
    }

    /// `key = value`, the value read as `T`; `example` is shown when it is something else.
    pub(crate) fn value<T: Parse>(&mut self, key: &str, what: &str, example: &str) -> Option<T> {
        let arg = self.take(key)?;
        if let Arg::Assigned(_, value) = &arg
            && let Ok(value) = syn::parse2(value.clone())
        {
            return Some(value);
        }
        self.faults.at(arg, format!("`{key}` takes {what}; write `{key} = {example}`"));
        None
    }

    /// `key = "text"`, the text read by a grammar.
    pub(crate) fn text<T>(
        &mut self,
        key: &str,
        example: &str,
        grammar: impl FnOnce(&str) -> Result<T, GrammarError>,
    ) -> Option<T> {
        let literal: LitStr = self.value(key, "a string", &format!("{example:?}"))?;
        self.read(&literal, grammar)
    }

    /// `name = "text"`.
    pub(crate) fn name(&mut self, example: &str) -> Option<LitStr> {
        self.named("name", example)
    }

    /// `key = "text"`, the text a name.
    pub(crate) fn named(&mut self, key: &str, example: &str) -> Option<LitStr> {
        let literal: LitStr = self.value(key, "a string", &format!("{example:?}"))?;
        self.read(&literal, daemon_grammar::name::check)?;
        Some(literal)
    }

    /// What a grammar makes of a literal, or a fault at it.
    pub(crate) fn read<T>(
        &mut self,
        literal: &LitStr,
        grammar: impl FnOnce(&str) -> Result<T, GrammarError>,
    ) -> Option<T> {
        grammar(&literal.value()).map_err(|error| self.faults.at(literal, error)).ok()
    }

    /// `key = 64`: a number above zero.
    pub(crate) fn count(&mut self, key: &str, example: &str) -> Option<LitInt> {
        let literal: LitInt = self.value(key, "a number", example)?;
        match literal.base10_parse::<usize>() {
            Ok(0) => {
                self.faults.at(&literal, format!("`{key}` is zero; write at least 1"));
                None
            }
            Ok(_) => Some(literal),
            Err(_) => {
                self.faults.at(&literal, format!("`{key}` takes a whole number; write `{key} = {example}`"));
                None
            }
        }
    }

    /// `key = word`, one of the words known today; `later` are words that will be known.
    pub(crate) fn word(&mut self, key: &str, words: &'static [&'static str], later: &[&str]) -> Option<&'static str> {
        let value = self.assigned(key, words[0])?;
        self.one(key, &value, words, later)
    }

    /// `key = word` or `key = word(16)`, the number being one that `takes` allows the word.
    pub(crate) fn bounded(
        &mut self,
        key: &str,
        words: &'static [&'static str],
        takes: impl Fn(&str) -> Option<u16>,
    ) -> Option<(&'static str, Option<LitInt>)> {
        let value = self.assigned(key, words[0])?;
        let mut trees: Vec<_> = value.into_iter().collect();
        let bound =
            trees.pop_if(|tree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis));
        let word = self.one(key, &trees.into_iter().collect(), words, &[])?;
        let Some(TokenTree::Group(bound)) = bound else { return Some((word, None)) };
        let Some(least) = takes(word) else {
            self.faults.at(&bound, format!("`{word}` takes no number; write `{key} = {word}`"));
            return None;
        };
        match syn::parse2::<LitInt>(bound.stream()).and_then(|number| Ok((number.base10_parse::<u16>()?, number))) {
            Ok((number, literal)) if number >= least => Some((word, Some(literal))),
            _ => {
                let text = format!("`{word}` takes a number from {least} to {}; write `{key} = {word}(16)`", u16::MAX);
                self.faults.at(&bound, text);
                None
            }
        }
    }

    /// `key = path`.
    pub(crate) fn path(&mut self, key: &str, example: &str) -> Option<ExprPath> {
        self.value(key, "the path of a function", example)
    }

    /// What stands after `key =`; a word, such as `example`, is what is expected there.
    fn assigned(&mut self, key: &str, example: &str) -> Option<TokenStream> {
        match self.take(key)? {
            Arg::Assigned(_, value) => Some(value),
            other => {
                self.faults.at(other, format!("`{key}` takes a word; write `{key} = {example}`"));
                None
            }
        }
    }

    /// The one of `words` that stands there.
    fn one(
        &mut self,
        key: &str,
        value: &TokenStream,
        words: &'static [&'static str],
        later: &[&str],
    ) -> Option<&'static str> {
        let expected = one_of(words);
        let text = match value.clone().into_iter().next() {
            Some(TokenTree::Ident(word)) => word.to_string(),
            // A quoted word is read too, so that its message can name the word.
            Some(TokenTree::Literal(literal)) => literal.to_string().trim_matches('"').to_owned(),
            _ => String::new(),
        };
        let bare = syn::parse2::<Ident>(value.clone()).is_ok();
        if let Some(word) = words.iter().find(|word| **word == text) {
            if !bare {
                self.faults.at(value, format!("`{key}` takes a bare word; write `{key} = {word}`"));
            }
            return Some(word);
        }
        if later.contains(&text.as_str()) {
            self.faults.at(value, format!("`{key} = {text}` comes in a later release; today write {expected}"));
            return None;
        }
        let hint = match did_you_mean(&text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("expected {expected}"),
        };
        self.faults.at(value, format!("`{}` is no value of `{key}`; {hint}", compact(value)));
        None
    }

    /// What is written of an option, if anything.
    pub(crate) fn tokens(&self, key: &str) -> TokenStream {
        let given = self.list.iter().find(|arg| arg.key().is_some_and(|found| found == key));
        given.map(ToTokens::to_token_stream).unwrap_or_default()
    }

    /// `key = word(..)`: the tokens between the parentheses; whatever else is given for the key stays.
    pub(crate) fn listed_value(&mut self, key: &str, word: &str) -> Option<Group> {
        let list = match self.list.iter().find(|arg| arg.key().is_some_and(|found| found == key))? {
            Arg::Assigned(_, value) => match &value.clone().into_iter().collect::<Vec<_>>()[..] {
                [TokenTree::Ident(found), TokenTree::Group(list)] if found == word => list.clone(),
                _ => return None,
            },
            _ => return None,
        };
        self.take(key)?;
        Some(list)
    }

    /// `key(..)`: the tokens between the parentheses.
    pub(crate) fn listed(&mut self, key: &str, example: &str) -> Option<Group> {
        match self.take(key)? {
            Arg::Listed(_, group) => Some(group),
            other => {
                let inside = match &other {
                    Arg::Assigned(_, value) if syn::parse2::<syn::Path>(value.clone()).is_ok() => compact(value),
                    _ => example.to_owned(),
                };
                self.faults.at(other, format!("`{key}` takes a list; write `{key}({inside})`"));
                None
            }
        }
    }

    /// A path to this library under another name: `crate = path`.
    pub(crate) fn krate(&mut self) -> Option<syn::Path> {
        let arg = self.take("crate")?;
        if let Arg::Assigned(_, value) = &arg
            && let Ok(path) = syn::parse::Parser::parse2(syn::Path::parse_mod_style, value.clone())
        {
            return Some(path);
        }
        self.faults.at(arg, "`crate` takes a path; write `crate = ::daemon_core`");
        None
    }

    /// Takes and reports options that are right elsewhere.
    pub(crate) fn misplaced(&mut self, keys: &[&str], text: &str) {
        for key in keys {
            if let Some(arg) = self.take(key) {
                self.faults.at(arg.key(), format!("`{key}` {text}"));
            }
        }
    }

    /// Reports every argument that nobody took.
    pub(crate) fn finish(self) {
        let Known { attribute, options, later } = self.known;
        for arg in self.list {
            let Some(key) = arg.key() else {
                let hint = if options.is_empty() {
                    "takes no options".to_owned()
                } else {
                    format!("knows {}", one_of(options))
                };
                self.faults.at(&arg, format!("`{}` is not an option; `{attribute}` {hint}", compact(&arg)));
                continue;
            };
            let word = key.unraw().to_string();
            if let Some((_, today)) = later.iter().find(|(name, _)| *name == word) {
                self.faults.at(&arg, format!("`{word}` comes in a later release; {today}"));
                continue;
            }
            let hint = match did_you_mean(&word, options.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if options.is_empty() => format!("`{attribute}` takes no options"),
                None => format!("`{attribute}` knows {}", one_of(options)),
            };
            self.faults.at(key, format!("unknown option `{word}`; {hint}"));
        }
    }
}
