//! One row of a definition: what to call, and when.

use crate::attr::health::{self, Kind};
use crate::attr::on_error::OnError;
use crate::attr::on_event::{Field, Options, Overflow};
use crate::attr::time::Time;
use crate::errors::compact;
use crate::expand::{at, declare, duration, restart, schedule};
use crate::model::{Call, Command, Row, RowKind, Source, Wired};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use std::time::Duration;
use syn::{LitStr, Type, spanned::Spanned};

/// The statement that adds the row, and the constant checks that belong to it.
pub(crate) fn expand(model: &Wired, row: &Row) -> TokenStream {
    let Row { cfgs, call, kind } = row;
    let (row, check) = match kind {
        RowKind::Event { source, options } => {
            let (new, check) = source_row(call, source);
            let options = event_options(source, options);
            (quote!(definition.on_event(#new #options)), check)
        }
        RowKind::Every { name, period, options } => (schedule::every(model, call, name, period, options), None),
        RowKind::Cron { name, expression, zone, options } => {
            (schedule::cron(call, name, expression, zone, options), None)
        }
        RowKind::OnReady { name, of } => {
            let (of, call) = (declare::dependency(&quote!(__private), of), boxed(call));
            (quote!(definition.on_ready(__private::OnReady::<Self>::new(#name, #of, #call))), None)
        }
        RowKind::Deferred { name, delay } => {
            let call = boxed(call);
            let delay = match delay {
                Time::Written(time, _) => duration(&quote!(__private), *time),
                Time::Constant(path) => path.to_token_stream(),
            };
            (quote!(definition.deferred(__private::Deferred::<Self>::new(#name, #delay, #call))), None)
        }
        RowKind::Task { name, finite, restart: policy } => {
            let (call, finite) = (boxed(call), finite.then(|| quote!(.finite())));
            let policy = policy.as_ref().map(|policy| restart(&quote!(__private), policy));
            (quote!(definition.task(__private::Task::<Self>::new(#name, #call) #finite #policy)), None)
        }
        RowKind::Check { name, options } => (check(call, name, options), None),
        RowKind::Command(command) => (command_row(call, command), None),
    };
    let check = check.map(|check| quote!(#(#[#cfgs])* #check));
    quote!(#(#[#cfgs])* #row; #check)
}

/// `.on_error(..)`, if it was written.
pub(super) fn on_error(given: Option<OnError>) -> Option<TokenStream> {
    let given = match given? {
        OnError::Log => quote!(Log),
        OnError::Restart => quote!(Restart),
        OnError::Fail => quote!(Fail),
    };
    Some(quote!(.on_error(__private::OnError::#given)))
}

/// The call of the method with `input` before the context, awaited if need be.
fn invoked(call: &Call, input: Option<TokenStream>) -> TokenStream {
    let method = &call.method;
    let context = call.context.map(|span| quote_spanned!(at(span)=> cx));
    let args = input.into_iter().chain(context);
    let span = at(method.span());
    let call_tokens = quote_spanned!(span=> Self::#method(daemon #(, #args)*));
    if call.is_async { quote_spanned!(span=> #call_tokens.await) } else { call_tokens }
}

/// The parameter of a closure for the context: a name only if it is used.
fn context(call: &Call) -> TokenStream {
    if call.context.is_some() { quote!(cx) } else { quote!(_) }
}

/// What the method returns, as the host counts it. A wrong type is shown where the method says it.
fn outcome(call: &Call, input: Option<TokenStream>) -> TokenStream {
    let done = invoked(call, input);
    quote_spanned!(at(call.returns)=> __private::outcome(#done))
}

/// The closure of a row that takes only its context. A future that is not `Send` is shown at the method's name.
pub(super) fn boxed(call: &Call) -> TokenStream {
    let (cx, outcome) = (context(call), outcome(call, None));
    quote_spanned!(at(call.method.span())=> |daemon, #cx| __private::boxed(async move { #outcome }))
}

fn source_row(call: &Call, source: &Source) -> (TokenStream, Option<TokenStream>) {
    let cx = context(call);
    let place = |event: &TokenStream, taken: bool| {
        let outcome = outcome(call, taken.then(|| quote!(&event)));
        quote_spanned! {at(call.method.span())=>
            |daemon, #cx| __private::place(move |event: __private::Arc<#event>| async move {
                let done = #outcome;
                (event, done)
            })
        }
    };
    match source {
        Source::Typed { name, event, topic, local } => {
            let closure = place(&event.to_token_stream(), true);
            let check = topic.as_ref().map(|topic| same_topic(topic, event, *local));
            (quote!(__private::EventHandler::<Self, __private::Context>::typed::<#event>(#name, #closure)), check)
        }
        Source::Envelope { name, pattern, taken } => {
            let closure = place(&quote!(__private::Envelope), *taken);
            (quote!(__private::EventHandler::<Self, __private::Context>::envelope(#name, #pattern, #closure)), None)
        }
    }
}

/// What follows the row of an event handler.
fn event_options(source: &Source, options: &Options) -> TokenStream {
    let Options { when, capacity, overflow, startup, queue, concurrency, isolated, on_error: errors } = options;
    let event = match source {
        Source::Typed { event, .. } => event.to_token_stream(),
        Source::Envelope { .. } => quote!(__private::Envelope),
    };
    // A function of another type is shown at its path.
    let when = when.as_ref().map(|path| quote!(.when(__private::filter::<#event>(#path))));
    let overflow = overflow.as_ref().map(|(overflow, _)| match overflow {
        Overflow::Block => quote!(.overflow(__private::Overflow::Block)),
        Overflow::DropOldest => quote!(.overflow(__private::Overflow::DropOldest)),
        Overflow::DropNewest => quote!(.overflow(__private::Overflow::DropNewest)),
        Overflow::Latest(None) => quote!(.overflow(__private::Overflow::Latest)),
        Overflow::Latest(Some(field)) => latest_by(&event, field),
    });
    let capacity = capacity.as_ref().map(|n| quote!(.capacity(#n)));
    let startup = startup.as_ref().map(|n| quote!(.startup(#n)));
    let queue = queue.as_ref().map(|name| quote!(.queue(#name)));
    let concurrency = concurrency.as_ref().map(|n| quote!(.concurrency(#n)));
    let isolated = isolated.then(|| quote!(.isolated()));
    let errors = on_error(*errors);
    quote!(#when #capacity #overflow #startup #queue #concurrency #isolated #errors)
}

/// `.latest_by(..)`. A field that does not exist, or cannot be hashed, is shown where it is named.
fn latest_by(event: &TokenStream, field: &Field) -> TokenStream {
    let key = quote_spanned!(at(field.span())=> __private::key::<#event, _>(|event| &event.#field));
    quote!(.latest_by(#key))
}

fn same_topic(topic: &LitStr, event: &Type, local: bool) -> TokenStream {
    let name = compact(event);
    let span = at(topic.span());
    let check = quote_spanned! {span=>
        __private::report(__private::topic(#topic, <#event as __private::Event>::TOPIC, #name))
    };
    // An item is evaluated by every `cargo check`, but cannot name a type parameter.
    if local { quote_spanned!(span=> const { #check };) } else { quote_spanned!(span=> const _: () = #check;) }
}

/// The row of a health check.
fn check(call: &Call, name: &LitStr, options: &health::Options) -> TokenStream {
    let health::Options { kind, timeout, every, cache, fails, passes, group, soft, on_error: errors } = options;
    let call = boxed(call);
    let kind = match kind {
        Kind::Readiness => quote!(Readiness),
        Kind::Liveness => quote!(Liveness),
        Kind::Startup => quote!(Startup),
    };
    let time = |time: Duration| duration(&quote!(__private), time);
    let timeout = timeout.map(time).map(|time| quote!(.timeout(#time)));
    let every = every.map(|every| match every.map(time) {
        Some(time) => quote!(.every(#time)),
        None => quote!(.every(__private::Option::None)),
    });
    let cache = cache.map(time).map(|time| quote!(.cache(#time)));
    let fails = fails.as_ref().map(|n| quote!(.fails(#n)));
    let passes = passes.as_ref().map(|n| quote!(.passes(#n)));
    let group = group.as_ref().map(|name| quote!(.group(#name)));
    let soft = soft.then(|| quote!(.soft()));
    let errors = on_error(*errors);
    let options = quote! {
        __private::CheckOptions::new(__private::CheckKind::#kind)
            #timeout #every #cache #fails #passes #group #soft #errors
    };
    quote!(definition.check(__private::Check::<Self>::new(#name, #options, #call)))
}

fn command_row(call: &Call, command: &Command) -> TokenStream {
    let Command { name, doc, request, reply, timeout, .. } = command;
    let (ty, pattern, input) = match request {
        Some(request) => {
            let ty = &request.ty;
            (quote!(#ty), quote!(request), Some(if request.by_reference { quote!(&request) } else { quote!(request) }))
        }
        None => (quote!(()), quote!(()), None),
    };
    let (cx, replied) = (context(call), invoked(call, input));
    let replied = quote_spanned!(at(call.returns)=> __private::reply(#replied));
    let closure = quote_spanned! {at(call.method.span())=>
        |daemon, #pattern, #cx| __private::boxed(async move { #replied })
    };
    let timeout = timeout.map(|time| duration(&quote!(__private), time)).map(|time| quote!(.timeout(#time)));
    let (request, answer) = (schema(&ty), schema(reply));
    quote!(definition.command(
        __private::Command::<Self>::new::<#ty, #reply>(#name, #doc, #closure) #timeout .schemas(#request, #answer)
    ))
}

/// How the JSON Schema of a type is made, if that can be: one of two traits answers for each type.
pub(super) fn schema(ty: &TokenStream) -> TokenStream {
    quote! {{
        #[allow(unused_imports)]
        use __private::{WithSchema as _, WithoutSchema as _};
        (&__private::SchemaOf::<#ty>::ASK).schema()
    }}
}
