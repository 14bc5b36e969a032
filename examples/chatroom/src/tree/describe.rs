//! What is known of one file: pure functions of its path and metadata.

use std::fs::Metadata;
use std::path::{Component, Path};

use crate::entity::{CodeFile, millis};

/// Directories whose contents are derived or a tool's own.
const SKIPPED: [&str; 2] = [".git", "target"];

/// Whether a directory of this name is left out.
pub(super) fn is_skipped(name: &std::ffi::OsStr) -> bool {
    SKIPPED.iter().any(|skipped| name == *skipped)
}

/// The path below the root as readable text, with `/` on every system; bytes that are no text become `�`.
pub(super) fn readable(relative: &Path) -> String {
    let parts: Vec<_> = relative
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        })
        .collect();
    parts.join("/")
}

pub(super) fn describe(relative: &Path, metadata: &Metadata) -> CodeFile {
    CodeFile {
        path: readable(relative),
        language: language(relative),
        bytes: metadata.len(),
        // A file system without modification times gives 0, and then only a change of size is noticed.
        modified_ms: metadata.modified().map(millis).unwrap_or_default(),
    }
}

/// A language for the extensions this program knows, else the extension itself, else nothing.
fn language(path: &Path) -> String {
    let extension = path.extension().map(|it| it.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let known = match extension.as_str() {
        "rs" => "rust",
        "py" | "pyi" => "python",
        "js" | "mjs" | "cjs" => "javascript",
        "ts" | "tsx" => "typescript",
        "c" | "h" => "c",
        "cc" | "cpp" | "cxx" | "hh" | "hpp" => "c++",
        "md" => "markdown",
        "yml" | "yaml" => "yaml",
        "sh" | "bash" => "shell",
        "htm" | "html" => "html",
        other => other,
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_text_with_slashes_whatever_it_is_made_of() {
        assert_eq!(readable(Path::new("./a/b.rs")), "a/b.rs");
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let odd = Path::new(std::ffi::OsStr::from_bytes(b"a/\xFFb"));
            assert_eq!(readable(odd), "a/\u{FFFD}b");
        }
    }

    #[test]
    fn a_language_is_the_known_name_or_the_extension() {
        let cases = [("a.RS", "rust"), ("a.hpp", "c++"), ("a.zig", "zig"), ("Makefile", ""), (".gitignore", "")];
        for (path, expected) in cases {
            assert_eq!(language(Path::new(path)), expected, "{path}");
        }
    }
}
