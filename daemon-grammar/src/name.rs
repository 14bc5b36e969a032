//! Names of daemons, hosts, intervals, checks and commands: what operators type and files are called.

use crate::GrammarError;

/// The longest name, in bytes.
pub const MAX: usize = 64;

/// Checks a name: `a-z`, `0-9`, `.`, `_` and `-`, beginning with a letter or a digit, at most [`MAX`] long.
///
/// # Errors
///
/// An empty or too long name, a character outside the set, or a first character that is a mark.
///
/// # Example
///
/// ```
/// assert!(daemon_grammar::name::check("state-reconciliation").is_ok());
/// assert!(daemon_grammar::name::check("Users").is_err());
/// ```
pub fn check(name: &str) -> Result<(), GrammarError> {
    let mark = |c: char| matches!(c, '.' | '_' | '-');
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let Some(first) = name.chars().next() else {
        return Err(GrammarError::new("a name is empty; write at least one letter or digit"));
    };
    if let Some(c) = name.chars().find(|c| !plain(*c) && !mark(*c)) {
        let lower = name.to_ascii_lowercase();
        let fix = if c.is_ascii_uppercase() && lower.chars().all(|c| plain(c) || mark(c)) && !lower.starts_with(mark) {
            format!("write {lower:?}")
        } else {
            "use a-z, 0-9, '.', '_' and '-'".to_owned()
        };
        return Err(GrammarError::new(format!("{c:?} cannot stand in name {name:?}; {fix}")));
    }
    if mark(first) {
        return Err(GrammarError::new(format!("name {name:?} begins with {first:?}; begin with a letter or a digit")));
    }
    if name.len() > MAX {
        return Err(GrammarError::new(format!("name {name:?} has {} characters; use at most {MAX}", name.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str) -> String {
        check(name).unwrap_err().to_string()
    }

    #[test]
    fn takes_what_operators_type() {
        for name in ["user", "7", "cache-eu", "state_reconciliation", "a.b"] {
            assert_eq!(check(name), Ok(()));
        }
        assert_eq!(check(&"a".repeat(MAX)), Ok(()));
    }

    #[test]
    fn says_what_to_write() {
        assert_eq!(fault("Users"), r#"'U' cannot stand in name "Users"; write "users""#);
        assert_eq!(fault("a b"), r#"' ' cannot stand in name "a b"; use a-z, 0-9, '.', '_' and '-'"#);
        assert_eq!(fault("-a"), r#"name "-a" begins with '-'; begin with a letter or a digit"#);
        assert_eq!(fault("../etc"), r#"'/' cannot stand in name "../etc"; use a-z, 0-9, '.', '_' and '-'"#);
        assert!(fault("").starts_with("a name is empty"));
        assert!(fault(&"a".repeat(MAX + 1)).ends_with("has 65 characters; use at most 64"));
    }
}
