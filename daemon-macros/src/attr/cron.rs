//! `#[cron("0 3 * * *", tz = "Europe/Berlin", ..)]`.

use crate::attr::args::{Args, Known};
use crate::attr::schedule::{self, Options};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::LitStr;

pub(super) const KNOWN: Known = Known {
    attribute: "#[cron]",
    options: &["tz", "name", "overlap", "missed", "jitter", "timeout", "immediately", "skip_if", "on_error"],
    later: &[],
};

/// What the marker says.
pub(crate) struct Cron {
    /// The expression and its zone; `None` after a fault.
    pub(crate) when: Option<(LitStr, LitStr)>,
    pub(crate) options: Options,
}

/// Reads the arguments; `marker` is what a fault about a missing expression points at.
pub(crate) fn parse(marker: &dyn ToTokens, tokens: TokenStream, faults: &mut Faults) -> Cron {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let leading = args.leading();
    let expression = match leading.map(|tokens| (syn::parse2::<LitStr>(tokens.clone()), tokens)) {
        Some((Ok(expression), _)) => Some(expression),
        Some((Err(_), tokens)) => {
            args.faults.at(tokens, "a cron expression is a string, such as \"0 3 * * *\"; quote it");
            None
        }
        None => {
            args.faults
                .at(marker.to_token_stream(), "no cron expression; write one first, such as `#[cron(\"0 3 * * *\")]`");
            None
        }
    };
    args.misplaced(&["timezone", "zone", "time_zone"], "is called `tz`; write `tz = \"Europe/Berlin\"`");
    let had_faults = args.faults.count();
    let zone = args.value::<LitStr>("tz", "a string", "\"Europe/Berlin\"");
    let is_faulty = args.faults.count() > had_faults;
    let options = schedule::parse(&mut args);
    args.finish();
    let when = expression.filter(|_| !is_faulty).and_then(|expression| {
        let zone = zone.unwrap_or_else(|| LitStr::new("UTC", expression.span()));
        check(marker, &expression, &zone, faults).then_some((expression, zone))
    });
    Cron { when, options }
}

/// Whether the expression and the zone are ones. Each is told of at its own place.
#[cfg(feature = "cron")]
fn check(_: &dyn ToTokens, expression: &LitStr, zone: &LitStr, faults: &mut Faults) -> bool {
    if let Err(fault) = daemon_grammar::Cron::new("@yearly", &zone.value()) {
        faults.at(zone, fault);
        return false;
    }
    let read = daemon_grammar::Cron::new(&expression.value(), &zone.value());
    read.map_err(|fault| faults.at(expression, fault)).is_ok()
}

/// Without the feature nothing is known of cron.
#[cfg(not(feature = "cron"))]
fn check(marker: &dyn ToTokens, _: &LitStr, _: &LitStr, faults: &mut Faults) -> bool {
    faults.at(
        marker.to_token_stream(),
        "`#[cron]` needs the feature `cron` of `daemon-core`; write `daemon-core = { version = \"..\", features = [\"cron\"] }` in \
         Cargo.toml",
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let meta: syn::Meta = syn::parse_str(text).unwrap();
        let tokens = meta.require_list().map(|list| list.tokens.clone()).unwrap_or_default();
        let mut faults = Faults::default();
        parse(&meta, tokens, &mut faults);
        faults.texts()
    }

    #[test]
    #[cfg(feature = "cron")]
    fn expressions_and_zones_are_checked_each_by_itself() {
        let good = "cron(\"0 3 * * *\", tz = \"Europe/Berlin\", name = \"x\", overlap = queue, missed = catch_up_once, timeout = \"3d\")";
        assert_eq!(faults(good), [""; 0]);
        assert_eq!(faults("cron(\"@daily\")"), [""; 0]);
        assert!(faults("cron(\"0 25 * * *\")")[0].starts_with("\"25\" is no hour in"));
        assert!(faults("cron(\"0 0 31 2 *\")")[0].contains("never comes"));
        assert_eq!(
            faults("cron(\"0 25 * * *\", tz = \"Europe/Berln\")"),
            ["unknown time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?"]
        );
    }

    #[test]
    fn an_expression_comes_first_and_is_a_string() {
        assert_eq!(faults("cron"), ["no cron expression; write one first, such as `#[cron(\"0 3 * * *\")]`"]);
        assert_eq!(faults("cron(NIGHTLY)"), ["a cron expression is a string, such as \"0 3 * * *\"; quote it"]);
        assert_eq!(
            faults("cron(tz = UTC)"),
            [
                "no cron expression; write one first, such as `#[cron(\"0 3 * * *\")]`",
                "`tz` takes a string; write `tz = \"Europe/Berlin\"`"
            ]
        );
        assert_eq!(faults("cron(zone = \"UTC\")")[1], "`zone` is called `tz`; write `tz = \"Europe/Berlin\"`");
    }

    #[test]
    #[cfg(not(feature = "cron"))]
    fn without_the_feature_it_says_which() {
        let faults = faults("cron(\"0 25 * * *\")");
        assert!(faults.len() == 1 && faults[0].contains("features = [\"cron\"]"), "{faults:?}");
    }
}
