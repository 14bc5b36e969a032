//! What is answered, and to whom.

use std::time::Duration;

use daemon_core::StartError;
use serde_json::Value;

use super::client::{ask, get};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn probes_say_what_they_look_at() {
    let store = Store::default();
    let full = Arc::clone(&store.full);
    let (host, at) = start(endpoint(), store).await;
    for probe in ["/livez", "/readyz", "/startupz"] {
        let answer = get(at, probe).await;
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{probe}");
    }
    let verbose = get(at, "/readyz?verbose").await;
    assert!(
        verbose.body.contains("[+]store.disk ok\n") && verbose.body.ends_with("readyz check passed\n"),
        "{verbose:?}"
    );

    full.store(true, Ordering::SeqCst);
    let answer = get(at, "/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("[-]store.disk failed: no byte left\n"), "{answer:?}");
    assert_eq!(get(at, "/livez").await.status, 200, "a daemon that is not ready is alive");
    assert_eq!(get(at, "/readyz?exclude=store.disk").await.status, 200);
    let group = get(at, "/health/stores").await;
    let group_json: Value = serde_json::from_str(&group.body).unwrap();
    assert_eq!((group.status, &group_json["checks"]["store.disk"]["message"]), (503, &"no byte left".into()));
    for (accept, kind) in [
        ("*/*", "application/json"),
        ("application/health+json", "application/health+json"),
        ("text/html, Application/Health+JSON;q=0.9", "application/health+json"),
        ("application/health+json;q=0.5, application/json", "application/json"),
    ] {
        let answer = ask(at, "GET", "/health", &format!("Host: localhost\r\nAccept: {accept}\r\n")).await;
        assert_eq!(answer.header("content-type"), Some(kind), "{accept}");
    }
    assert_eq!(get(at, "/health/shops").await.status, 404);
    let answer = get(at, "/health/stores?format=microprofile").await;
    let report: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &report["status"]), (503, &"DOWN".into()));
    assert_eq!(
        (&report["checks"][0]["name"], &report["checks"][0]["data"]["message"]),
        (&"store.disk".into(), &"no byte left".into())
    );
    let answer = get(at, "/livez?format=microprofile").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert!(answer.body.starts_with("{\"checks\":[") && answer.body.contains("\"status\":\"UP\""), "{answer:?}");
    let answer = get(at, "/readyz?format=health%2Bjson&exclude=store%2Edisk").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/health+json")));
    assert!(get(at, "/health?format=text&verbose").await.body.ends_with("healthz check failed\n"));
    let refused = get(at, "/health?format=xml").await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("there are: text, json, health+json, microprofile"), "{refused:?}");
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_no_as_soon_as_a_daemon_is_down_and_checks_are_asked_without_a_monitor() {
    let host = Host::new("shop").daemon(endpoint()).daemon(Store::default()).start().await.unwrap();
    let at = host.handle().daemon::<HttpEndpoint>().unwrap().address().unwrap();
    assert!(get(at, "/readyz?verbose").await.body.contains("[+]store.disk ok\n"));
    host.handle().stop_daemon("store").await.unwrap();
    let answer = get(at, "/readyz").await;
    assert!(answer.status == 503 && answer.body.contains("`store`"), "{answer:?}");
    host.handle().start_daemon("store").await.unwrap();
    assert_eq!(get(at, "/startupz").await.status, 200);
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_no_during_the_unready_delay_while_everything_goes_on() {
    let delay = Duration::from_secs(20); // nobody waits for its end here
    let host = Host::new("shop").daemon(endpoint()).daemon(Store::default()).daemon(HealthMonitor::new());
    let host = host.unready_delay(delay).start().await.unwrap();
    let handle = host.handle();
    let at = handle.daemon::<HttpEndpoint>().unwrap().address().unwrap();
    assert_eq!(get(at, "/readyz").await.status, 200);
    handle.request_shutdown();
    let answer = get(at, "/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("[-]host failed: the host is shutting down\n"), "{answer:?}");
    assert_eq!(get(at, "/livez").await.status, 200);
    handle.publish(UserCreated { name: "Ada".to_owned() }).await.unwrap();
    let handled = "daemon_events_total{daemon=\"store\",outcome=\"handled\",subscription=\"created\"} 1\n";
    while !get(at, "/metrics").await.body.contains(handled) {}
    let status: Value = serde_json::from_str(&get(at, "/status.json").await.body).unwrap();
    assert_eq!(status["state"], "running");
    drop(host);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_figures_and_page_are_there_and_browsers_are_told_to_keep_them() {
    let (host, at) = start(endpoint().metrics(|metrics| metrics.info("version", "1.2")), Store::default()).await;
    let status: Value = serde_json::from_str(&get(at, "/status.json").await.body).unwrap();
    assert_eq!((&status["name"], &status["state"]), (&"shop".into(), &"running".into()));
    let figures = get(at, "/metrics").await;
    assert!(figures.body.contains("daemon_state{daemon=\"store\",state=\"running\"} 1\n"), "{}", figures.body);
    assert!(figures.body.contains("version=\"1.2\""), "{}", figures.body);
    let of_check = "daemon_health_check_status{check=\"disk\",daemon=\"store\",status=\"healthy\"} 1\n";
    while !get(at, "/metrics").await.body.contains(of_check) {}
    let page = get(at, "/").await;
    assert!(page.body.starts_with("<!doctype html>") && page.body.trim_end().ends_with("</html>"));
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'nonce-"));
    for path in ["/", "/readyz", "/status.json", "/metrics", "/nowhere"] {
        let answer = get(at, path).await;
        let expected = [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let head = ask(at, "HEAD", "/readyz", "Host: localhost\r\n").await;
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(ask(at, "POST", "/readyz", "Host: localhost\r\n").await.status, 405);
    assert_eq!(get(at, "/nowhere").await.status, 404);
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_pages_of_others_are_refused() {
    let (host, at) = start(endpoint().allow_host("status.test"), Store::default()).await;
    assert_eq!(ask(at, "GET", "/status.json", "Host: evil.test\r\n").await.status, 421);
    assert_eq!(ask(at, "GET", "/status.json", "Host: status.test:80\r\n").await.status, 200);
    assert_eq!(ask(at, "GET", "/status.json", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n").await.status, 403);
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_needs_a_word_and_a_token() {
    const SECRET: &str = "correct-horse-battery-staple";
    let public = || HttpEndpoint::on(([0, 0, 0, 0], 0));
    for (endpoint, why) in [
        (public(), "HttpEndpoint::public"),
        (public().token(SECRET), "HttpEndpoint::public"),
        (public().public(), "HttpEndpoint::token"),
        (public().public().token("1234"), "guessed"),
    ] {
        let error = Host::new("shop").daemon(endpoint).start().await.unwrap_err();
        let StartError::Failed { start, .. } = &error else { panic!("{error:?}") };
        assert!(start.daemons[0].reason.as_ref().unwrap().contains(why), "{start:?}");
    }
    let (host, at) = start(public().public().token(SECRET), Store::default()).await;
    let at = SocketAddr::from(([127, 0, 0, 1], at.port()));
    let refused = get(at, "/readyz").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(
        ask(at, "GET", "/readyz", &format!("Host: any\r\nAuthorization: Bearer {SECRET}\r\n")).await.status,
        200
    );
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_listens_at_the_same_port_again() {
    let (host, at) = start(endpoint(), Store::default()).await;
    host.handle().restart_daemon("http").await.unwrap();
    assert_eq!(host.handle().daemon::<HttpEndpoint>().unwrap().address(), Some(at));
    assert_eq!(get(at, "/readyz").await.status, 200);
    host.shutdown().await.unwrap();
}
