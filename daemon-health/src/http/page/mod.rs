//! The status page: one file, into which each answer puts a number of its own.
//!
//! The page fetches nothing but `/events`. Its style and its script name the number, and the browser runs no other: whatever a
//! name, a topic or a log line says stays text.

use std::hash::{BuildHasher, RandomState};

const PAGE: &str = include_str!("index.html");
/// What stands for the number in the file.
const PLACE: &str = "{nonce}";

/// The page's policy and the page, for one answer.
pub(super) fn fresh() -> (String, String) {
    // Keyed by what the system draws at random, so nobody who sees one knows the next.
    let nonce = format!("{:016x}{:016x}", RandomState::new().hash_one(0_u8), RandomState::new().hash_one(1_u8));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    (policy, PAGE.replace(PLACE, &nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_that_asks_for_nothing_else() {
        let elsewhere = [
            "http://",
            "https://",
            "//cdn",
            "@import",
            "url(",
            "import(",
            "<link rel=\"stylesheet",
            "<iframe",
            "fetch(",
        ];
        for what in elsewhere {
            let found = PAGE.match_indices(what).find(|(at, _)| !PAGE[*at..].starts_with("http://www.w3.org/2000/svg"));
            assert_eq!(found, None, "the page names another place");
        }
        assert!(!PAGE.contains("innerHTML"), "what others say stays text");
        assert!(!PAGE.contains(" style=\"") && !PAGE.contains(" onclick"), "the policy forbids it");
        let (scripts, styles) = (PAGE.matches("<script").count(), PAGE.matches("<style").count());
        assert_eq!(PAGE.matches(PLACE).count(), scripts + styles);
    }

    #[test]
    fn every_answer_has_a_number_of_its_own() {
        let ((policy, page), (another, _)) = (fresh(), fresh());
        assert_ne!(policy, another);
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        assert_eq!((nonce.len(), page.contains(PLACE)), (32, false));
        assert!(page.contains(&format!("<script nonce=\"{nonce}\">")));
    }
}
