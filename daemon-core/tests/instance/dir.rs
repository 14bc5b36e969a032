use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use daemon_core::instance::{Environment, Layout, PathError, Platform, Scope};
use tempfile::TempDir;

use super::mode;

fn layout(variable: &str, value: &Path) -> Layout {
    let user = fs::metadata("/proc/self").map_or(0, |data| std::os::unix::fs::MetadataExt::uid(&data));
    let environment = Environment::new(Platform::Linux, user).with(variable, value);
    Layout::new("waymark", Scope::User, environment).unwrap()
}

#[test]
fn w20_the_directory_is_made_for_the_user_alone() {
    let base = TempDir::new().unwrap();
    let layout = layout("XDG_RUNTIME_DIR", &base.path().join("missing"));
    let dir = layout.create_dir().unwrap();
    assert_eq!(dir, base.path().join("missing/waymark"));
    assert_eq!((mode(&dir), mode(&base.path().join("missing"))), (0o700, 0o700));
    assert_eq!(layout.create_dir().unwrap(), dir, "again");
}

#[test]
fn w20_a_directory_that_others_prepared_is_refused() {
    let base = TempDir::new().unwrap();
    let layout = layout("XDG_RUNTIME_DIR", base.path());
    let dir = base.path().join("waymark");
    let refused = || match layout.create_dir().unwrap_err() {
        PathError::Unsafe { dir: refused, fault } if refused == dir => fault,
        other => panic!("{other}"),
    };
    let elsewhere = TempDir::new().unwrap();
    symlink(elsewhere.path(), &dir).unwrap();
    assert_eq!(refused(), "is a symbolic link; remove it");
    fs::remove_file(&dir).unwrap();

    fs::create_dir(&dir).unwrap();
    for (open, is_refused) in [(0o777, true), (0o1777, true), (0o720, true), (0o755, false), (0o700, false)] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(open)).unwrap();
        assert_eq!(layout.create_dir().is_err(), is_refused, "{open:o}");
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(refused(), "can be written to by others; forbid it: chmod go-w");
    fs::remove_dir(&dir).unwrap();

    fs::write(&dir, "").unwrap();
    assert!(matches!(layout.create_dir().unwrap_err(), PathError::Io { .. }));
}

#[test]
fn what_a_service_manager_made_is_taken_as_it_is() {
    let base = TempDir::new().unwrap();
    let (private, given) = (base.path().join("private"), base.path().join("waymark"));
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o775)).unwrap();
    symlink(&private, &given).unwrap(); // as systemd does for a dynamic user
    assert_eq!(layout("RUNTIME_DIRECTORY", &given).create_dir().unwrap(), given);
    assert_eq!(mode(&private), 0o775);
    let inside = layout("RUNTIME_DIRECTORY", &private).create_dir().unwrap();
    assert_eq!((inside.clone(), mode(&inside)), (private.join("waymark"), 0o700), "one that is made in it is not");
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = layout("RUNTIME_DIRECTORY", &private).create_dir().unwrap_err();
    assert!(matches!(refused, PathError::Unsafe { .. }), "{refused}");
}
