//! Where the programs under test are. Owns finding and building them; starting them is [`Program`](crate::Program)'s.
//!
//! `cargo test` builds a binary only for the tests of its own package, and one found on disk may be older than its source. So each
//! is asked of cargo, once per test process: cargo builds what changed, in the profile and the folder that the test runs from, and
//! tells where it is.

use crate::ProcessError;
use serde_json::Value;
use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// A program of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A binary.
    Bin(&'static str),
    /// An example.
    Example(&'static str),
}

/// The path of a program of this workspace, built if it is not up to date.
///
/// It is built as its package is built alone, the way a person runs it, not with the features that other packages of the workspace
/// turn on.
///
/// # Errors
///
/// [`ProcessError::Build`], with what the compiler says, if it does not build or is not there.
pub fn built(package: &'static str, target: Target) -> Result<PathBuf, ProcessError> {
    static BUILT: Mutex<Option<HashMap<(&str, Target), PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(path) = built.get(&(package, target)) {
        return Ok(path.clone());
    }
    let path = build(package, target)?;
    built.insert((package, target), path.clone());
    Ok(path)
}

fn build(package: &str, target: Target) -> Result<PathBuf, ProcessError> {
    let (option, name) = match target {
        Target::Bin(name) => ("--bin", name),
        Target::Example(name) => ("--example", name),
    };
    let failed = |says: String| ProcessError::Build { program: format!("{package} {option} {name}"), says };

    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--offline", "--message-format=json-render-diagnostics", "--package", package, option, name]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    if let Some(here) = env::current_exe().ok().as_deref().and_then(Place::of_test) {
        cargo.args(["--profile", &here.profile]).arg("--target-dir").arg(here.target_dir);
        if let Some(triple) = here.triple {
            cargo.args(["--target", &triple]);
        }
    }
    // What cargo tells this test about its own package would look like a change to a build script of another.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }

    let output = cargo.output().map_err(|fault| failed(fault.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .ok_or_else(|| failed("cargo named no executable".to_owned()))
}

/// The executable that cargo's messages name last for a target.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_target = messages.filter(|message| message["target"]["name"] == target);
    of_target.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back()
}

/// Where a test runs: `TARGET_DIR[/TRIPLE]/PROFILE/deps/TEST`.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    target_dir: PathBuf,
    triple: Option<String>,
    profile: String,
}

impl Place {
    /// `None` if the executable is not where cargo puts tests, as is that of a documentation test.
    fn of_test(executable: &Path) -> Option<Self> {
        let deps = executable.parent().filter(|folder| folder.ends_with("deps"))?;
        let profile_dir = deps.parent()?;
        let profile = match profile_dir.file_name()?.to_str()? {
            "debug" => "dev",
            named => named,
        };
        let parent = profile_dir.parent()?;
        // Cargo marks the target folder itself.
        let (target_dir, triple) = if parent.join("CACHEDIR.TAG").exists() {
            (parent, None)
        } else {
            (parent.parent()?, Some(parent.file_name()?.to_str()?.to_owned()))
        };
        Some(Self { target_dir: target_dir.to_owned(), triple, profile: profile.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &Path, executable: &str) -> Option<Place> {
        Place::of_test(&root.join(executable))
    }

    #[test]
    fn a_test_knows_its_profile_and_folder() {
        let root = crate::TempDir::new().unwrap();
        std::fs::write(root.path().join("CACHEDIR.TAG"), "").unwrap();
        let found = |profile: &str, triple: Option<&str>| {
            Some(Place {
                target_dir: root.path().to_owned(),
                triple: triple.map(str::to_owned),
                profile: profile.to_owned(),
            })
        };
        assert_eq!(place(root.path(), "debug/deps/x-1"), found("dev", None));
        assert_eq!(place(root.path(), "release/deps/x-1"), found("release", None));
        assert_eq!(place(root.path(), "a-b-c/debug/deps/x-1"), found("dev", Some("a-b-c")));
        assert_eq!(place(root.path(), "elsewhere/x-1"), None);
    }

    #[test]
    fn the_executable_is_read_from_the_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"other"},"executable":"/x/other"}
            not JSON
            {"reason":"compiler-artifact","target":{"name":"wanted"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"wanted"},"executable":"/x/wanted"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "wanted"), Some(PathBuf::from("/x/wanted")));
        assert_eq!(executable(messages, "absent"), None);
    }
}
