//! From tokens to the parts of an item that matter here. Fields and method bodies stay raw tokens, so that a half-typed
//! one costs neither the daemon nor the editor's help inside it.

pub(crate) mod block;
pub(crate) mod declaration;
pub(crate) mod markers;

use crate::errors::Faults;
use block::Block;
use declaration::Declaration;
use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Token, Visibility};

/// What `#[daemon]` was found above.
pub(crate) enum Item {
    Struct(Declaration),
    Impl(Box<Block>),
}

/// Reads the item; nothing after a fault that leaves no name to hold on to.
pub(crate) fn item(tokens: TokenStream, faults: &mut Faults) -> Option<Item> {
    let grammar = |input: ParseStream<'_>| {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Visibility>()?;
        if ahead.peek(Token![struct]) {
            return Ok(Some(Item::Struct(Declaration::parse(input)?)));
        }
        ahead.parse::<Option<Token![unsafe]>>()?;
        if ahead.peek(Token![impl]) {
            return Ok(Block::parse(input, faults)?.map(|block| Item::Impl(Box::new(block))));
        }
        let keyword: TokenTree = ahead.parse()?;
        input.parse::<TokenStream>()?;
        Err(syn::Error::new(
            keyword.span(),
            "`#[daemon]` goes above a struct or above the one `impl` block with its handlers; move it there",
        ))
    };
    let parsed = grammar.parse2(tokens);
    faults.keep(parsed).flatten()
}
