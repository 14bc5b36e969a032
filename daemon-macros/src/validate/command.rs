//! The rules of a command: what it takes and gives must be nameable by a client that knows no type parameter.

use crate::attr::command;
use crate::errors::{Faults, compact};
use crate::model::{Call, Command, Request};
use crate::parse::block::Method;
use crate::validate::{names, shape};
use quote::{ToTokens, quote};
use syn::{Expr, ExprLit, GenericArgument, Lit, Meta, Path, PathArguments, ReturnType, Type};

/// Names of what is generated beside a command's method, and what they are.
const RESERVED: &[(&str, &str)] = &[
    ("instance", "a method that every client has"),
    ("timeout", "a method that every client has"),
    ("client", "the function that makes the client"),
];

/// Types that are plainly no results. Any other name may be an alias of one, so rustc is asked.
const NO_RESULTS: &[&str] = &[
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64", "String", "Vec", "Option", "Box", "Arc", "HashMap", "BTreeMap", "Value", "Duration",
];

/// Checks a command; `words` are `Self` and the parameters of the block.
pub(crate) fn check(
    said: command::Command,
    method: &Method,
    words: &[String],
    krate: &Path,
    faults: &mut Faults,
) -> Option<(Call, Command)> {
    let before = faults.count();
    let shape = shape::check(&method.sig, shape::Takes::Request, faults);
    let reply = reply(method, words, krate, faults);
    if let Some((word, what)) = RESERVED.iter().find(|(word, _)| method.sig.ident == word) {
        let text = format!(
            "`{word}` is {what}; give the method another name, and the command this one: `#[command(name = \"{word}\")]`"
        );
        faults.at(&method.sig.ident, text);
    }
    let name = names::given_or_own(said.name, &method.sig.ident, "command", faults);
    let shape = shape?;
    let request = shape.input.map(|input| Request {
        ty: shape::referent(&input).clone(),
        by_reference: matches!(input, Type::Reference(_)),
    });
    if let Some(request) = &request {
        nameable(&request.ty, words, faults);
    }
    let command = Command {
        name,
        cfgs: method.cfgs.clone(),
        docs: method.docs.clone(),
        doc: text(&method.docs),
        method: method.sig.ident.clone(),
        request,
        reply: reply?,
        timeout: said.timeout,
    };
    (faults.count() == before).then_some((shape.call, command))
}

/// What a command gives on success.
fn reply(method: &Method, words: &[String], krate: &Path, faults: &mut Faults) -> Option<proc_macro2::TokenStream> {
    let ReturnType::Type(_, ty) = &method.sig.output else {
        let text = "a command answers with a `Result`; write `-> Result<Reply>`, or `-> Result<()>` if there is nothing to say";
        faults.at(&method.sig.ident, text);
        return None;
    };
    nameable(ty, words, faults);
    if NO_RESULTS.iter().any(|name| shape::is_named(ty, name)) || !matches!(ty.as_ref(), Type::Path(_) | Type::Group(_))
    {
        let reply = compact(ty);
        faults.at(ty, format!("a command answers with a `Result`; write `-> Result<{reply}>`"));
        return None;
    }
    if let Some(reply) = first_of_result(ty) {
        return Some(reply.to_token_stream());
    }
    // An alias hides what is inside, so rustc is asked.
    Some(quote!(<#ty as #krate::__private::Reply>::Reply))
}

/// `T` of what is written `Result<T>`, `io::Result<T>` or `Result<T, E>`.
fn first_of_result(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = shape::referent(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| if let GenericArgument::Type(ty) = argument { Some(ty) } else { None })
}

fn nameable(ty: &Type, words: &[String], faults: &mut Faults) {
    if let Some(word) = shape::mentions(ty, words) {
        let found = compact(ty);
        faults.at(
            ty,
            format!("`{found}` names `{word}`, which the client of this daemon does not know; name a type that is the same for all"),
        );
    }
}

/// The text of doc comments.
fn text(docs: &[Meta]) -> String {
    let lines = docs.iter().filter_map(|doc| match doc {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}
