//! The `impl` block that wires a daemon: its head, and the attributes and signatures of its methods.

use crate::attr::marker::{self, Marker};
use crate::errors::{Faults, compact, one_of};
use crate::parse::markers;
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Generics, Meta, Signature, Token, Type, Visibility, braced, token};

/// The block, and those of its methods that carry a marker.
pub(crate) struct Block {
    pub(crate) generics: Generics,
    pub(crate) self_ty: Type,
    pub(crate) methods: Vec<Method>,
}

/// A method with one marker. Its body is not looked at.
pub(crate) struct Method {
    pub(crate) marker: Marker,
    pub(crate) cfgs: Vec<Meta>,
    pub(crate) docs: Vec<Meta>,
    pub(crate) sig: Signature,
}

impl Block {
    /// Reads the block; `None` after a fault in its head.
    pub(crate) fn parse(input: ParseStream<'_>, faults: &mut Faults) -> syn::Result<Option<Self>> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![impl]>()?;
        let mut generics = if input.peek(Token![<]) { input.parse()? } else { Generics::default() };
        input.parse::<Option<Token![!]>>()?;
        let self_ty: Type = input.parse()?;
        let of_trait = input.parse::<Option<Token![for]>>()?;
        if of_trait.is_some() {
            input.parse::<TokenStream>()?;
            faults.at(
                &self_ty,
                format!(
                    "`#[daemon]` goes above the daemon's own `impl` block, not above one of the trait `{}`; remove it here",
                    compact(&self_ty)
                ),
            );
            return Ok(None);
        }
        generics.where_clause = input.parse()?;
        let body;
        braced!(body in input);
        let mut methods = Vec::new();
        while !body.is_empty() {
            let before = body.cursor();
            match member(&body, faults) {
                Ok(method) => methods.extend(method),
                Err(error) => {
                    faults.push(error);
                    skip(&body)?;
                }
            }
            if body.cursor() == before {
                body.parse::<TokenTree>()?;
            }
        }
        Ok(Some(Self { generics, self_ty, methods }))
    }
}

/// One member of the block, if it is a method with a marker.
fn member(input: ParseStream<'_>, faults: &mut Faults) -> syn::Result<Option<Method>> {
    let (metas, marker) = attributes(input, faults)?;
    input.parse::<Visibility>()?;
    if !is_method(input) {
        if let Some((_, at)) = marker {
            faults.at(at, "a marker belongs on a method; move it there, or remove it");
        }
        skip(input)?;
        return Ok(None);
    }
    let sig = input.parse::<Signature>()?;
    if input.peek(token::Brace) {
        input.parse::<TokenTree>()?;
    } else {
        input.parse::<Token![;]>()?;
    }
    let Some((Some(marker), _)) = marker else { return Ok(None) };
    let of = |word: &str| metas.iter().filter(|meta| meta.path().is_ident(word)).cloned().collect();
    Ok(Some(Method { marker, cfgs: of("cfg"), docs: of("doc"), sig }))
}

type Marked = (Option<Marker>, Meta);

/// The attributes above a member: those that are no markers, and the marker.
fn attributes(input: ParseStream<'_>, faults: &mut Faults) -> syn::Result<(Vec<Meta>, Option<Marked>)> {
    let (mut metas, mut marked) = (Vec::new(), None::<(&str, Marked)>);
    while input.peek(Token![#]) {
        input.parse::<Token![#]>()?;
        let Ok(TokenTree::Group(group)) = input.parse::<TokenTree>() else { break };
        let Some(meta) = faults.keep(Meta::parse.parse2(group.stream())) else { continue };
        if meta.path().is_ident("cfg_attr")
            && let Some(word) = markers::conditional(group.stream())
        {
            faults.at(
                meta,
                format!(
                    "`{word}` cannot stand in `cfg_attr`; write `#[cfg(..)]` above the method and `#[{word}]` below it"
                ),
            );
            continue;
        }
        let Some(word) = marker::named(meta.path()) else {
            match marker::misspelt(meta.path()) {
                Some(near) => {
                    let own = "an attribute of your own is written with its path";
                    let word = compact(meta.path());
                    faults.at(meta, format!("unknown marker `{word}`; did you mean `{near}`? {own}"));
                }
                None => metas.push(meta),
            }
            continue;
        };
        if let Some((first, _)) = marked {
            let both =
                if first == word { format!("`{word}` twice") } else { one_of(&[first, word]).replace(" or ", " and ") };
            faults.at(meta, format!("this method is marked {both}; keep one, and call it from a second method"));
            continue;
        }
        marked = Some((word, (marker::parse(&meta, faults), meta)));
    }
    Ok((metas, marked.map(|(_, marked)| marked)))
}

/// Whether a signature comes next: `fn` after nothing but its qualifiers.
fn is_method(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while let Ok(tree) = ahead.parse::<TokenTree>() {
        match tree {
            TokenTree::Ident(word) if word == "fn" => return true,
            TokenTree::Ident(word) if is_qualifier(&word) => {}
            TokenTree::Literal(_) => {}
            _ => return false,
        }
    }
    false
}

fn is_qualifier(word: &Ident) -> bool {
    ["const", "async", "unsafe", "extern", "default"].iter().any(|qualifier| word == qualifier)
}

/// Passes over the rest of a member: up to its semicolon, or its body in braces.
fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    let mut value = false;
    while !input.is_empty() {
        match input.parse::<TokenTree>()? {
            TokenTree::Punct(mark) if mark.as_char() == ';' => break,
            // What follows an equals sign is a value, whose braces do not end the member.
            TokenTree::Punct(mark) if mark.as_char() == '=' => value = true,
            TokenTree::Group(group) if !value && ends(&group) => break,
            _ => {}
        }
    }
    Ok(())
}

fn ends(group: &Group) -> bool {
    group.delimiter() == proc_macro2::Delimiter::Brace
}
