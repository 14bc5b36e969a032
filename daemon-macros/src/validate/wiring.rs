//! The rules of a wiring: each method's shape against its marker, and names against each other.

use crate::attr::marker::Marker;
use crate::attr::on_event::{OnEvent, Overflow};
use crate::attr::restart::Ends;
use crate::attr::task::Task;
use crate::errors::Faults;
use crate::model::{Client, Row, RowKind, Source, Wired};
use crate::parse::block::{Block, Method};
use crate::validate::names::{self, Taken};
use crate::validate::queues::Queues;
use crate::validate::shape::{self, Shape, Takes};
use crate::validate::{command, krate};
use quote::format_ident;
use syn::{Ident, Path, Type};

/// Puts the block together; rows with faults are left out, so what is returned can be written.
pub(crate) fn wired(given: Option<Path>, block: Block, faults: &mut Faults) -> Option<Wired> {
    let Some(daemon) = daemon_ident(&block.self_ty) else {
        faults.at(&block.self_ty, "`#[daemon]` goes above the `impl` block of a struct; name the struct");
        return None;
    };
    let krate = krate(given);
    let mut words = names::params(&block.generics);
    words.push("Self".to_owned());
    let mut taken = Taken::default();
    let (mut rows, mut commands, mut queues) = (Vec::new(), Vec::new(), Queues::default());
    for mut method in block.methods {
        let marker = std::mem::replace(&mut method.marker, Marker::OnReady(None));
        let row = match marker {
            Marker::Command(said) => command::check(said, &method, &words, &krate, faults).map(|(call, command)| {
                taken.add("a command", &command.name, &method, faults);
                commands.push(command.clone());
                Row { cfgs: method.cfgs.clone(), call, kind: RowKind::Command(Box::new(command)) }
            }),
            Marker::OnEvent(marker) => {
                queues.note(&marker.options, &method);
                event(marker, &method, &words, faults)
            }
            other => plain(other, &method, &mut taken, faults),
        };
        rows.extend(row);
    }
    queues.check(faults);
    let client = (!commands.is_empty()).then(|| Client { ident: format_ident!("{daemon}Client"), daemon, commands });
    Some(Wired { krate, generics: block.generics, self_ty: block.self_ty, rows, client })
}

fn daemon_ident(ty: &Type) -> Option<Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.clone()),
        Type::Group(group) => daemon_ident(&group.elem),
        Type::Paren(paren) => daemon_ident(&paren.elem),
        _ => None,
    }
}

/// A method that takes nothing but its context.
fn plain(marker: Marker, method: &Method, taken: &mut Taken, faults: &mut Faults) -> Option<Row> {
    let shape = shape::check(&method.sig, Takes::Nothing, faults);
    let own = &method.sig.ident;
    let kind = match marker {
        Marker::Every(every) => {
            let mut options = every.options;
            let name = names::given_or_own(options.name.take(), own, "every", faults);
            taken.add("an interval", &name, method, faults);
            every.period.map(|period| RowKind::Every { name, period, options })
        }
        Marker::Cron(cron) => {
            let mut options = cron.options;
            let name = names::given_or_own(options.name.take(), own, "cron", faults);
            taken.add("an interval", &name, method, faults);
            cron.when.map(|(expression, zone)| RowKind::Cron { name, expression, zone, options })
        }
        Marker::Task(task) => {
            task_ends(&task, method, faults);
            let name = names::given_or_own(task.name, own, "task", faults);
            taken.add("a task", &name, method, faults);
            Some(RowKind::Task { name, finite: task.finite, restart: task.restart })
        }
        Marker::Health(check) => {
            let name = names::given_or_own(check.name, own, "health", faults);
            taken.add("a check", &name, method, faults);
            Some(RowKind::Check { name, options: Box::new(check.options) })
        }
        Marker::Deferred(delay) => delay.map(|delay| RowKind::Deferred { name: names::of_method(own), delay }),
        Marker::OnReady(of) => of.map(|of| RowKind::OnReady { name: names::of_method(own), of }),
        Marker::OnEvent(_) | Marker::Command(_) => None,
    };
    Some(Row { cfgs: method.cfgs.clone(), call: shape?.call, kind: kind? })
}

/// A plain `fn` cannot wait, so it ends at once or blocks its thread. What ends at once is to say that it may.
fn task_ends(task: &Task, method: &Method, faults: &mut Faults) {
    let again = task.restart.as_ref().is_some_and(|restart| restart.ends == Ends::Always);
    if method.sig.asyncness.is_none() && !task.finite && !again {
        let text = "a task that goes on waits, which a plain `fn` cannot; write `async fn`, or say that it ends: `#[task(finite)]`. What \
                    blocks its thread belongs in `cx.spawn_blocking`";
        faults.at(method.sig.fn_token, text);
    }
}

fn event(marker: OnEvent, method: &Method, words: &[String], faults: &mut Faults) -> Option<Row> {
    let Shape { call, input } = shape::check(&method.sig, Takes::Event, faults)?;
    let name = names::of_method(&call.method);
    if marker.faulty {
        return None;
    }
    let source = match (input, marker.topic) {
        (Some(ty), Some(pattern)) if shape::is_named(&ty, "Envelope") => {
            Source::Envelope { name, pattern, taken: true }
        }
        (Some(ty), None) if shape::is_named(&ty, "Envelope") => {
            faults.at(ty, "an `Envelope` carries any event, so say which: `#[on_event(\"data:users:*\")]`");
            return None;
        }
        (Some(ty), topic) => {
            let event = Box::new(shape::referent(&ty).clone());
            let local = shape::mentions(&*event, words).is_some();
            Source::Typed { name, event, topic, local }
        }
        (None, Some(pattern)) => Source::Envelope { name, pattern, taken: false },
        (None, None) => {
            let text = "which event? take it, such as `event: &UserCreated`, or name its topic: `#[on_event(\"data:users:*\")]`";
            faults.at(&call.method, text);
            return None;
        }
    };
    if let (Source::Envelope { .. }, Some((Overflow::Latest(Some(field)), _))) = (&source, &marker.options.overflow) {
        faults.at(field, "an `Envelope` has no fields; `overflow = latest` alone keeps the latest event of each topic");
        return None;
    }
    let options = Box::new(marker.options);
    Some(Row { cfgs: method.cfgs.clone(), call, kind: RowKind::Event { source, options } })
}
