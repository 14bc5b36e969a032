use super::*;

const LINUX: fn() -> Environment = || Environment::new(Platform::Linux, 1000);
const MAC: fn() -> Environment = || Environment::new(Platform::MacOs, 501);
const WINDOWS: fn() -> Environment = || {
    Environment::new(Platform::Windows, 0)
        .with("TEMP", r"C:\Users\me\Temp")
        .with("LOCALAPPDATA", r"C:\Users\me\AppData\Local")
        .with("PROGRAMDATA", r"C:\ProgramData")
};

fn layout(environment: Environment) -> Layout {
    Layout::new("waymark", Scope::User, environment).unwrap()
}

fn system(environment: Environment) -> Layout {
    Layout::new("waymark", Scope::System, environment).unwrap()
}

/// The directory, the socket, the lock, the PID file.
fn run_time(layout: &Layout) -> [String; 4] {
    [layout.dir(), layout.socket(), layout.lock(), layout.pid()].map(text)
}

/// The state and the logs.
fn kept(layout: &Layout) -> [String; 2] {
    [layout.state(), layout.logs()].map(text)
}

fn text(path: Result<PathBuf, PathError>) -> String {
    path.unwrap().into_os_string().into_string().unwrap()
}

fn dir(environment: Environment) -> String {
    text(layout(environment).dir())
}

#[test]
fn on_linux_files_are_where_the_seed_has_them() {
    let there = |dir: &str| ["", "/daemon.sock", "/daemon.lock", "/daemon.pid"].map(|file| format!("{dir}{file}"));
    let given = LINUX().with("XDG_RUNTIME_DIR", "/run/user/7").with_run_user();
    assert_eq!(run_time(&layout(given)), there("/run/user/7/waymark"));
    assert_eq!(run_time(&layout(LINUX().with_run_user())), there("/run/user/1000/waymark"));
    assert_eq!(dir(LINUX().with("TMPDIR", "/other").with_run_user()), "/run/user/1000/waymark");
}

#[test]
fn on_macos_files_are_where_the_seed_has_them() {
    let there = |dir: &str| ["", "/daemon.sock", "/daemon.lock", "/daemon.pid"].map(|file| format!("{dir}{file}"));
    let temporary = MAC().with("TMPDIR", "/var/folders/ab/T/");
    assert_eq!(run_time(&layout(temporary.clone())), there("/var/folders/ab/T/waymark"));
    assert_eq!(run_time(&layout(temporary.with("XDG_RUNTIME_DIR", "/xdg"))), there("/xdg/waymark"));
}

#[test]
fn on_windows_files_are_where_the_seed_has_them() {
    let there = [
        r"C:\Users\me\Temp",
        r"\\.\pipe\waymark-daemon",
        r"C:\Users\me\Temp\waymark-daemon.lock",
        r"C:\Users\me\Temp\waymark-daemon.pid",
    ];
    assert_eq!(run_time(&layout(WINDOWS())), there);
    assert_eq!(run_time(&layout(WINDOWS().with("TEMP", r"C:\Users\me\Temp\"))), there);
    assert_eq!(text(layout(WINDOWS().with("TEMP", "C:/T/")).lock()), "C:/T/waymark-daemon.lock");
    for data in [r"C:\Data\", "C:/Data/"] {
        assert_eq!(text(layout(WINDOWS().with("LOCALAPPDATA", data)).state()), format!("{data}waymark"));
    }
    assert_eq!(dir(WINDOWS().with("XDG_RUNTIME_DIR", r"C:\xdg").with("RUNTIME_DIRECTORY", r"C:\run")), there[0]);
    assert_eq!(dir(WINDOWS().with("RUNTIME_DIRECTORY", r"\\server\run")), there[0], "it has no such manager");
    assert_eq!(dir(WINDOWS().with("TEMP", "").with("TMP", r"\\server\share")), r"\\server\share");
}

#[test]
fn where_run_user_is_absent_there_is_a_place_all_the_same() {
    assert_eq!(dir(LINUX()), "/tmp/waymark-1000");
    assert_eq!(dir(Environment::new(Platform::Linux, 0)), "/run/waymark");
    assert_eq!(dir(MAC()), "/tmp/waymark-501");
    assert_eq!(dir(Environment::new(Platform::MacOs, 0)), "/tmp/waymark-0");
    assert_eq!(dir(MAC().with_run_user()), "/tmp/waymark-501");
}

#[test]
fn w21_a_relative_variable_is_as_good_as_unset() {
    assert_eq!(dir(LINUX().with("XDG_RUNTIME_DIR", "run").with_run_user()), "/run/user/1000/waymark");
    assert_eq!(dir(LINUX().with("XDG_RUNTIME_DIR", "").with("RUNTIME_DIRECTORY", "waymark")), "/tmp/waymark-1000");
    assert_eq!(dir(MAC().with("TMPDIR", "T")), "/tmp/waymark-501");
    let relative = LINUX().with("XDG_STATE_HOME", "state").with("HOME", "/home/me");
    assert_eq!(text(layout(relative).state()), "/home/me/.local/state/waymark");
    for relative in [r"C:Temp", r"1:\Temp", r"C;\Temp", r"\Temp", r"s\Temp", "Temp", ""] {
        let none = Environment::new(Platform::Windows, 0).with("TEMP", relative);
        assert!(layout(none).dir().is_err(), "{relative}");
    }
}

#[test]
fn w21_a_name_is_one_part_of_a_path() {
    for name in ["", ".", "..", "../../etc/x", "a/b", r"a\b", "/", ".hidden", "-x", "a b", "a\0b", "C:", "Waymark"] {
        let refused = Layout::new(name, Scope::User, LINUX());
        assert!(matches!(refused, Err(PathError::Name(_))), "{name:?}");
    }
    assert!(Layout::new(&"a".repeat(64), Scope::User, LINUX()).is_ok());
    assert!(Layout::new(&"a".repeat(65), Scope::User, LINUX()).is_err());
    assert!(Layout::new("a..b", Scope::User, LINUX()).is_ok(), "it is a name like any other");
}

#[test]
fn what_a_service_manager_gives_comes_first() {
    let given = LINUX()
        .with("RUNTIME_DIRECTORY", "/run/waymark")
        .with("STATE_DIRECTORY", "/var/lib/waymark")
        .with("LOGS_DIRECTORY", "/var/log/waymark/")
        .with("XDG_RUNTIME_DIR", "/run/user/1000");
    for layout in [layout(given.clone()), system(given.clone())] {
        assert_eq!(text(layout.lock()), "/run/waymark/daemon.lock");
        assert_eq!(kept(&layout), ["/var/lib/waymark", "/var/log/waymark"]);
    }
    for (list, dir) in [
        ("/run/other", "/run/other/waymark"),
        ("/run/other:/run/waymark", "/run/waymark"),
        ("/run/a/waymark//", "/run/a/waymark"),
        ("/run/awaymark", "/run/awaymark/waymark"),
        ("relative:/run/b", "/run/b/waymark"),
    ] {
        assert_eq!(text(layout(given.clone().with("RUNTIME_DIRECTORY", list)).dir()), dir, "{list}");
    }
}

#[test]
fn state_and_logs_are_the_users() {
    let home = LINUX().with("HOME", "/home/me");
    assert_eq!(kept(&layout(home.clone())), ["/home/me/.local/state/waymark", "/home/me/.local/state/log/waymark"]);
    assert_eq!(kept(&layout(home.with("XDG_STATE_HOME", "/s/"))), ["/s/waymark", "/s/log/waymark"]);
    assert_eq!(
        kept(&layout(MAC().with("HOME", "/Users/me"))),
        ["/Users/me/Library/Application Support/waymark", "/Users/me/Library/Logs/waymark"]
    );
    let local = r"C:\Users\me\AppData\Local\waymark";
    assert_eq!(kept(&layout(WINDOWS())), [local.to_owned(), format!(r"{local}\logs")]);
}

#[test]
fn a_user_without_a_home_is_told_which_variable_to_set() {
    for environment in [LINUX(), MAC()] {
        let fault = layout(environment).state().unwrap_err();
        assert_eq!(fault.to_string(), "there is no place for what it keeps; set HOME");
    }
    let root = Environment::new(Platform::Linux, 0);
    assert_eq!(kept(&layout(root)), ["/var/lib/waymark", "/var/log/waymark"]);
    let fault = layout(Environment::new(Platform::Windows, 0)).lock().unwrap_err();
    assert_eq!(fault.to_string(), "there is no place for its files; set TEMP or TMP");
}

#[test]
fn a_daemon_of_the_system_is_in_its_directories() {
    let linux = system(LINUX().with("XDG_RUNTIME_DIR", "/run/user/1000").with("HOME", "/home/me").with_run_user());
    assert_eq!(text(linux.socket()), "/run/waymark/daemon.sock");
    assert_eq!(kept(&linux), ["/var/lib/waymark", "/var/log/waymark"]);
    let mac = system(MAC().with("TMPDIR", "/var/folders/ab/T"));
    assert_eq!(text(mac.lock()), "/var/run/waymark/daemon.lock");
    assert_eq!(kept(&mac), ["/Library/Application Support/waymark", "/Library/Logs/waymark"]);
    let windows = system(WINDOWS());
    assert_eq!(text(windows.lock()), r"C:\ProgramData\waymark\waymark-daemon.lock");
    assert_eq!(kept(&windows), [r"C:\ProgramData\waymark", r"C:\ProgramData\waymark\logs"]);
}
