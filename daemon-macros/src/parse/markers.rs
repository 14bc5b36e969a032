//! Taking the markers off an `impl` block, so that only this macro ever sees them.

use crate::attr::marker;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::Meta;

/// The item without the markers on what its braces hold; every other token stays as it is.
pub(crate) fn stripped(item: TokenStream) -> TokenStream {
    let mut trees: Vec<_> = item.into_iter().collect();
    if let Some(TokenTree::Group(body)) = trees.last_mut() {
        let inner = match body.delimiter() {
            Delimiter::Brace => without(body.stream()),
            // An item that passed through `macro_rules!` may stand in an invisible group.
            Delimiter::None => stripped(body.stream()),
            _ => body.stream(),
        };
        let mut group = Group::new(body.delimiter(), inner);
        group.set_span(body.span());
        *body = group;
    }
    trees.into_iter().collect()
}

fn without(body: TokenStream) -> TokenStream {
    let mut kept = TokenStream::new();
    let mut trees = body.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if matches!(&tree, TokenTree::Punct(pound) if pound.as_char() == '#')
            && trees.next_if(|next| matches!(next, TokenTree::Group(group) if is_marker(group))).is_some()
        {
            continue;
        }
        kept.extend([tree]);
    }
    kept
}

/// Whether the brackets of an attribute hold a marker, or a `cfg_attr` with one. Malformed ones count by their first
/// word.
fn is_marker(attribute: &Group) -> bool {
    if attribute.delimiter() != Delimiter::Bracket {
        return false;
    }
    let path =
        attribute.stream().into_iter().take_while(|tree| !matches!(tree, TokenTree::Group(_) | TokenTree::Literal(_)));
    let path = path.take_while(|tree| !matches!(tree, TokenTree::Punct(p) if p.as_char() == '='));
    let Ok(path) = syn::parse::Parser::parse2(syn::Path::parse_mod_style, path.collect()) else { return false };
    marker::named(&path).is_some()
        || marker::misspelt(&path).is_some()
        || path.is_ident("cfg_attr") && conditional(attribute.stream()).is_some()
}

/// The marker inside a `cfg_attr(..)`.
pub(crate) fn conditional(attribute: TokenStream) -> Option<&'static str> {
    let Ok(Meta::List(list)) = syn::parse2::<Meta>(attribute) else { return None };
    let mut starts = vec![];
    let mut after_comma = false;
    for tree in list.tokens {
        match &tree {
            TokenTree::Punct(comma) if comma.as_char() == ',' => after_comma = true,
            TokenTree::Ident(word) if after_comma => {
                starts.push(word.clone());
            }
            TokenTree::Group(_) | TokenTree::Literal(_) => after_comma = false,
            _ => {}
        }
    }
    starts.into_iter().find_map(|word| marker::named(&word.into()))
}
