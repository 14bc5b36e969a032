//! Directories that belong to the user alone.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

use super::error::PathError;

/// Makes the directory of a file, and those above it that are missing, each for the user alone. One that exists is left
/// as it is.
pub(super) fn make_parent(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => make(parent),
        _ => Ok(()),
    }
}

fn make(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes a directory in which nobody else can put anything, or finds that it is one. It is `given` if somebody trusted
/// made it, such as a service manager, which may have made it a link.
pub(super) fn make_private(dir: &Path, given: bool) -> Result<(), PathError> {
    make(dir).map_err(|source| PathError::Io { dir: dir.to_owned(), source })?;
    if given { Ok(()) } else { check(dir) }
}

#[cfg(unix)]
fn check(dir: &Path) -> Result<(), PathError> {
    use std::os::unix::fs::MetadataExt;

    let data = std::fs::symlink_metadata(dir).map_err(|source| PathError::Io { dir: dir.to_owned(), source })?;
    match fault(data.is_dir(), data.uid(), data.mode(), super::sys::effective_uid()) {
        None => Ok(()),
        Some(fault) => Err(PathError::Unsafe { dir: dir.to_owned(), fault }),
    }
}

/// Below the user's own folders, which nobody else may enter.
#[cfg(not(unix))]
fn check(_dir: &Path) -> Result<(), PathError> {
    Ok(())
}

/// What is wrong with a directory that is to be the user's own.
#[cfg(unix)]
fn fault(is_dir: bool, owner: u32, mode: u32, user: u32) -> Option<String> {
    if !is_dir {
        Some("is a symbolic link; remove it".to_owned())
    } else if owner != user {
        Some(format!("belongs to user {owner}, and this is user {user}; remove it, or run as that user"))
    } else if mode & 0o022 != 0 {
        Some("can be written to by others; forbid it: chmod go-w".to_owned())
    } else {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_of_the_user_that_others_cannot_write_to_will_do() {
        for mode in [0o700, 0o755, 0o500, 0o1700] {
            assert_eq!(fault(true, 7, mode, 7), None, "{mode:o}");
        }
        for mode in [0o777, 0o770, 0o702, 0o1777] {
            assert!(fault(true, 7, mode, 7).is_some_and(|fault| fault.contains("chmod")), "{mode:o}");
        }
        assert!(fault(true, 0, 0o700, 7).is_some_and(|fault| fault.contains("user 0")));
        assert!(fault(false, 7, 0o777, 7).is_some_and(|fault| fault.contains("symbolic link")));
    }
}
