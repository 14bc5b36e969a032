//! The shape of a handler: `&self`, optionally what it handles, optionally `&Context`, in that order.

use crate::errors::{Faults, compact};
use crate::model::Call;
use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{FnArg, GenericParam, ReceiverKind, ReturnType, Safety, Signature, Type, TypeReference};

/// What a method of one kind may take besides `&self` and `&Context`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Event,
    Request,
}

/// A method that can be called.
pub(crate) struct Shape {
    pub(crate) call: Call,
    /// The type of the event or request parameter, as written.
    pub(crate) input: Option<Type>,
}

/// Checks a signature; all its faults are reported, and nothing is returned after one.
pub(crate) fn check(sig: &Signature, takes: Takes, faults: &mut Faults) -> Option<Shape> {
    let before = faults.count();
    qualifiers(sig, faults);
    receiver(sig, faults);
    let mut params: Vec<_> = sig.inputs.iter().filter_map(typed).collect();
    let context = match (takes, params.last()) {
        (Takes::Nothing, Some(_)) => context(params.remove(0), faults),
        (_, Some(last)) if is_named(last, "Context") && (params.len() == 1 || !is_named(params[0], "Context")) => {
            params.pop().and_then(|ty| context(ty, faults))
        }
        _ => None,
    };
    let input = if takes == Takes::Nothing || params.is_empty() { None } else { Some(params.remove(0).clone()) };
    match &input {
        Some(input) if is_named(input, "Context") => {
            faults.at(input, "the context comes last; write it after the event or request");
            params.clear();
        }
        Some(input) if takes == Takes::Event => by_reference(input, faults),
        _ => {}
    }
    for extra in &params {
        faults.at(extra, format!("one parameter too many; a handler takes {}", expected(takes)));
    }
    let returns = match &sig.output {
        ReturnType::Default => sig.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let call = Call { method: sig.ident.clone(), is_async: sig.asyncness.is_some(), context, returns };
    (faults.count() == before).then_some(Shape { call, input })
}

fn by_reference(event: &Type, faults: &mut Faults) {
    match event {
        Type::Reference(TypeReference { mutability: None, .. }) | Type::ImplTrait(_) => {}
        Type::Reference(TypeReference { elem, .. }) => {
            let text = compact(elem);
            faults.at(event, format!("an event is shared between its handlers; take it as `&{text}`"));
        }
        Type::Group(group) => by_reference(&group.elem, faults),
        _ => {
            let text = compact(event);
            faults.at(event, format!("an event is shared between its handlers; take it by reference: `&{text}`"));
        }
    }
}

fn qualifiers(sig: &Signature, faults: &mut Faults) {
    if let Some(token) = sig.constness {
        faults.at(token, "a handler cannot be `const`; remove it");
    }
    if let Safety::Unsafe(token) = sig.safety {
        faults.at(
            token,
            "a handler cannot be `unsafe`; make it safe, and put the unsafe part in a block with its reason",
        );
    }
    if let Some(abi) = &sig.abi {
        faults.at(abi, "a handler cannot be `extern`; remove it");
    }
    if let Some(variadic) = &sig.variadic {
        faults.at(variadic, "a handler cannot be variadic; remove it");
    }
    let generic = sig.generics.params.iter().find(|param| !matches!(param, GenericParam::Lifetime(_)));
    if let Some(param) = generic {
        faults.at(param, "a handler cannot be generic, since nobody would choose the type; name the type");
    }
    for ty in sig.inputs.iter().filter_map(typed) {
        let inner = if let Type::Reference(reference) = ty { &*reference.elem } else { ty };
        if matches!(inner, Type::ImplTrait(_)) {
            faults.at(ty, "a handler cannot be generic, since nobody would choose the type; name the type");
        }
    }
}

fn receiver(sig: &Signature, faults: &mut Faults) {
    const WHY: &str = "a daemon is shared by its handlers, which run side by side";
    let Some(receiver) = sig.receiver() else {
        faults.at(&sig.ident, format!("this handler takes no `self`; {WHY}: write `&self` first"));
        return;
    };
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => {}
        ReceiverKind::Reference(_, _, Some(_)) => {
            faults.at(
                receiver,
                format!("this handler takes `&mut self`; {WHY}: write `&self`, and keep what changes in a lock"),
            );
        }
        ReceiverKind::Typed(_, ty) if compact(ty) == "&Self" => {}
        _ => faults.at(receiver, format!("this handler takes `{}`; {WHY}: write `&self`", compact(receiver))),
    }
}

fn context(ty: &Type, faults: &mut Faults) -> Option<Span> {
    match ty {
        Type::Reference(TypeReference { mutability: None, .. }) => Some(ty.span()),
        _ if is_named(ty, "Context") => {
            faults.at(ty, "take the context by reference: `&Context`");
            None
        }
        _ => {
            faults.at(ty, "this handler takes nothing but `&self` and, if needed, `&Context`; remove the parameter");
            None
        }
    }
}

fn typed(arg: &FnArg) -> Option<&Type> {
    match arg {
        FnArg::Typed(arg) => Some(&arg.ty),
        FnArg::Receiver(_) => None,
    }
}

fn expected(takes: Takes) -> &'static str {
    match takes {
        Takes::Nothing => "`&self`, then `&Context` if needed",
        Takes::Event => "`&self`, the event by reference, then `&Context` if needed",
        Takes::Request => "`&self`, the request, then `&Context` if needed",
    }
}

/// Whether a type, or what it refers to, has this last segment.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Reference(reference) => is_named(&reference.elem, name),
        Type::Group(group) => is_named(&group.elem, name),
        Type::Paren(paren) => is_named(&paren.elem, name),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == name),
        _ => false,
    }
}

/// What a reference refers to, or the type itself.
pub(crate) fn referent(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        Type::Group(group) => referent(&group.elem),
        Type::Paren(paren) => referent(&paren.elem),
        other => other,
    }
}

/// Whether tokens name `Self` or one of the block's own parameters.
pub(crate) fn mentions(tokens: &impl ToTokens, words: &[String]) -> Option<String> {
    tokens.to_token_stream().into_iter().find_map(|tree| match tree {
        proc_macro2::TokenTree::Ident(word) => Some(word.to_string()).filter(|word| words.contains(word)),
        proc_macro2::TokenTree::Group(group) => mentions(&group.stream(), words),
        _ => None,
    })
}
