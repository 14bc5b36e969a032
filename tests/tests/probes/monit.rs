//! monit, which closes the connection once it has read the status line.

use super::*;

fn config(place: &Place, port: u16) -> String {
    let files = ["id", "state", "pid"].map(|file| format!("set {file}file {}\n", place.text(file))).concat();
    format!(
        "set daemon 1\nset log {}\n{files}\
         check host visible with address 127.0.0.1\n  \
         if failed port {port} protocol http request \"/readyz\" then alert\n  \
         if failed port {port} protocol http request \"/metrics\" then alert\n",
        place.text("log")
    )
}

#[test]
fn what_closes_after_the_status_line_does_no_harm() {
    let port = free_port();
    let running = visible(port).start().unwrap();
    until_ready(port);
    let before = figure(port, "process_open_fds").unwrap();
    if is_there("monit") {
        let place = Place::new();
        let file = place.write("monitrc", &config(&place, port));
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut monit = Program::new("monit").args(["-I", "-v", "-c", &file]).start().unwrap();
        until("three rounds of monit", || {
            let log = std::fs::read_to_string(place.path("log")).unwrap_or_default();
            assert!(!log.contains("failed protocol test"), "{log}");
            let passed = log.lines().filter(|line| line.contains("succeeded testing protocol [HTTP]")).count();
            if passed >= 6 { Ok(()) } else { Err(log) }
        });
        monit.signal(Signal::TERM).unwrap();
        monit.wait(PATIENCE).unwrap();
    }
    // The same a hundred times, with most of the answer unread: the connection is reset.
    for _ in 0..100 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut line = [0; 15];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"HTTP/1.1 200 OK");
    }
    // That of the connection that asks is among them, before and after.
    until("as many descriptors as before", || {
        let now = figure(port, "process_open_fds")?;
        if now <= before { Ok(()) } else { Err(format!("{now}, more than {before}")) }
    });
    until_ready(port);
    assert_eq!(figure(port, "daemon_errors_total{daemon=\"http\"}"), Ok(0.0));
    let said = stop(running);
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
}
