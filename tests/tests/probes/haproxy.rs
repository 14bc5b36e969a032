//! HAProxy's `httpchk`.

use std::io::Read;
use std::os::unix::net::UnixStream;

use super::*;

fn config(stats: &str, front: u16, back: u16) -> String {
    format!(
        "global\n  stats socket {stats} mode 600 level admin\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n\
         frontend front\n  bind 127.0.0.1:{front}\n  default_backend back\n\
         backend back\n  option httpchk GET /readyz\n  \
         server one 127.0.0.1:{back} check inter 100ms fall 2 rise 2\n"
    )
}

/// What HAProxy says of the server: its state, and the status that its last check got.
fn server(stats: &str) -> Result<(String, String), String> {
    let asked = || {
        let mut stream = UnixStream::connect(stats)?;
        stream.write_all(b"show stat\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    let text = asked().map_err(|error| error.to_string())?;
    let row = |start: &str| text.lines().find(|line| line.starts_with(start)).map(|line| line.split(',').collect());
    let (head, row): (Vec<_>, Vec<_>) = row("# pxname").zip(row("back,one")).ok_or_else(|| text.clone())?;
    let value = |name: &str| head.iter().position(|of| *of == name).map(|at| row[at].to_owned()).unwrap_or_default();
    Ok((value("status"), value("check_code")))
}

fn until_it_is(stats: &str, state: &str, code: &str) {
    until(state, || match server(stats) {
        Ok((is, got)) if is == state && got == code => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn haproxy_takes_it_up_down_and_up_again_through_a_drain() {
    if !is_there("haproxy") {
        return;
    }
    let place = Place::new();
    let (front, back) = (free_port(), free_port());
    let stats = place.text("stats");
    let config = place.write("haproxy.cfg", &config(&stats, front, back));
    let haproxy = Program::new("haproxy").args(["-db", "-f", &config]).start().unwrap();

    let mut running = visible(back).env("DRAIN", "5s").start().unwrap();
    until_it_is(&stats, "UP", "200");
    let through = || get(front, "/livez").map(|(status, _)| status);
    assert_eq!(through(), Some(200));

    running.signal(Signal::TERM).unwrap();
    // Until it is out, it goes on answering whoever is still sent there.
    let mut answered = 0;
    until("DOWN", || match server(&stats) {
        Ok((state, code)) if state == "DOWN" && code == "503" => Ok(()),
        other => {
            assert!(matches!(through(), Some(200 | 503)), "an answer broke off");
            answered += 1;
            Err(format!("{other:?}"))
        }
    });
    assert!(answered > 0 && matches!(get(back, "/livez"), Some((200, _))), "it is alive while it drains");
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));

    let running = visible(back).start().unwrap();
    until_it_is(&stats, "UP", "200");
    assert_eq!(through(), Some(200));
    stop(running);
    drop(haproxy);
}
