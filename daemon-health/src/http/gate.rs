//! Who may ask, decided by what a request says of itself. Pure: no I/O, no clock.
//!
//! A browser is a way in for pages of others: they can send it to any address, and make a name of theirs stand for a loopback
//! address. So what listens on loopback answers only to names of loopback, and tells the browser to keep what it got to itself.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri};

use super::error::HttpError;

/// How many characters a token has at least.
const LEAST: usize = 16;

/// What whoever asks must know.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn new(secret: String) -> Self {
        Self(secret)
    }

    fn fault(&self) -> Option<HttpError> {
        let fault = match () {
            () if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) => "not made of printable ASCII alone",
            () if self.0.len() < LEAST => "short enough to be guessed",
            () => return None,
        };
        Some(HttpError::WeakToken { fault, least: LEAST })
    }

    /// Whether an `Authorization` header names it: as a bearer, or, for browsers, as the password of anybody.
    fn is_named_by(&self, header: &str) -> bool {
        let Some((scheme, value)) = header.split_once(' ') else { return false };
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(value.trim().as_bytes());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Some(pair) = base64(value.trim()) else { return false };
        pair.iter().position(|byte| *byte == b':').is_some_and(|colon| self.is(&pair[colon + 1..]))
    }

    /// Compares in a time that does not tell how much of it was right.
    fn is(&self, given: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let differs = own.iter().zip(given).fold(0, |differs, (a, b)| differs | (a ^ b));
        own.len() == given.len() && std::hint::black_box(differs) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::with_capacity(text.len()));
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// Whether an address may be listened on, if there is one.
pub(super) fn may_listen(address: Option<SocketAddr>, public: bool, token: Option<&Token>) -> Result<(), HttpError> {
    if let Some(fault) = token.and_then(Token::fault) {
        return Err(fault);
    }
    let Some(address) = address else { return Ok(()) };
    match (address.ip().to_canonical().is_loopback(), public, token) {
        (true, ..) | (false, true, Some(_)) => Ok(()),
        (false, true, None) => Err(HttpError::PublicWithoutToken { address }),
        (false, false, _) => Err(HttpError::Public { address }),
    }
}

/// Where a request came in.
#[derive(Clone, Debug)]
pub(super) enum Door {
    /// A port that only this machine reaches, and other names than its own that it is known by.
    Loopback(Vec<String>),
    /// A port that other machines reach.
    Public,
    /// A socket on which somebody else has looked at who comes, and which no browser reaches under any name.
    Socket,
}

/// Who may come in.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) door: Door,
    pub(super) token: Option<Token>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is for a name that is not ours.
    Misdirected,
    /// A page of another site asks.
    CrossSite,
    /// It does not name the token.
    Unauthorized,
}

impl Gate {
    /// Whether a request may be answered.
    pub(super) fn admits(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Door::Loopback(names) = &self.door {
            let in_uri = uri.authority().map(Authority::as_str);
            let in_head = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
            if !in_head.chain(in_uri).all(|host| is_ours(host, names)) {
                return Err(Refusal::Misdirected);
            }
        }
        if is_cross_site(headers) {
            return Err(Refusal::CrossSite);
        }
        match &self.token {
            None => Ok(()),
            Some(token) => {
                let named = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
                named.filter(|header| token.is_named_by(header)).map(|_| ()).ok_or(Refusal::Unauthorized)
            }
        }
    }
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Misdirected => {
                "this endpoint answers to localhost and loopback addresses only; allow other names with \
                 `HttpEndpoint::allow_host`\n"
            }
            Self::CrossSite => "pages of other sites are not answered\n",
            Self::Unauthorized => "send the token: `Authorization: Bearer ..`, or as a password\n",
        }
    }
}

/// Whether the `Host` of a request is a name that only this machine has, or one that was allowed.
fn is_ours(host: &str, names: &[String]) -> bool {
    let name = without_port(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).parse::<IpAddr>();
    let is_localhost = || {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    };
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => is_localhost() || names.iter().any(|own| own.eq_ignore_ascii_case(name)),
    }
}

/// `[::1]:80` and `localhost:80` without the port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Whether a browser says that a page of another site asks. Following a link to the page is not asking.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let says = |name: &str, what: &str| headers.get(name).is_some_and(|value| value.as_bytes() == what.as_bytes());
    (says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site"))
        && !(says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document"))
}

/// What every answer says to browsers: keep it, show it in no frame, and let no other site read it.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "correct-horse-battery-staple";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn asked(gate: &Gate, pairs: &[(&'static str, &str)]) -> Result<(), Refusal> {
        gate.admits(&Uri::from_static("/"), &headers(pairs))
    }

    #[test]
    fn only_names_of_loopback_are_ours() {
        let names = ["status.test".to_owned()];
        let ours = [
            "localhost",
            "localhost:80",
            "LOCALHOST.",
            "a.localhost:1",
            "127.0.0.1:9100",
            "127.9.9.9",
            "[::1]:9100",
            "[::1]",
            "::1",
            "[::ffff:127.0.0.1]:80",
            "status.test:80",
            "STATUS.test",
        ];
        for host in ours {
            assert!(is_ours(host, &names), "{host}");
        }
        let others = [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "10.0.0.1:80",
            "[2001:db8::1]:80",
            "",
            ":80",
            "notlocalhost",
            "evil.test:80",
            "0.0.0.0",
            "status.test.evil.test",
            "evil.status.test",
        ];
        for host in others {
            assert!(!is_ours(host, &names), "{host}");
        }
    }

    #[test]
    fn what_listens_on_loopback_is_asked_under_its_own_names_or_none() {
        let gate = Gate { door: Door::Loopback(Vec::new()), token: None };
        assert_eq!(asked(&gate, &[]), Ok(()));
        assert_eq!(asked(&gate, &[("host", "localhost:1")]), Ok(()));
        assert_eq!(asked(&gate, &[("host", "evil.test")]), Err(Refusal::Misdirected));
        assert_eq!(asked(&gate, &[("host", "localhost"), ("host", "evil.test")]), Err(Refusal::Misdirected));
        let absolute = Uri::from_static("http://evil.test/");
        assert_eq!(gate.admits(&absolute, &headers(&[("host", "localhost")])), Err(Refusal::Misdirected));
    }

    #[test]
    fn on_a_socket_any_name_will_do_and_the_token_is_asked_for() {
        let open = Gate { door: Door::Socket, token: None };
        assert_eq!(asked(&open, &[("host", "x")]), Ok(()));
        let shut = Gate { door: Door::Socket, token: Some(Token::new(SECRET.to_owned())) };
        assert_eq!(asked(&shut, &[("host", "x")]), Err(Refusal::Unauthorized));
    }

    #[test]
    fn a_page_of_another_site_may_lead_here_and_no_more() {
        let gate = Gate { door: Door::Loopback(Vec::new()), token: None };
        let from = |mode, dest| {
            asked(&gate, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)])
        };
        assert_eq!(from("navigate", "document"), Ok(()));
        assert_eq!(from("navigate", "iframe"), Err(Refusal::CrossSite));
        assert_eq!(from("no-cors", "image"), Err(Refusal::CrossSite));
        assert_eq!(from("cors", "empty"), Err(Refusal::CrossSite));
        assert_eq!(asked(&gate, &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")]), Ok(()));
    }

    #[test]
    fn the_token_is_a_bearer_or_a_password() {
        let gate = Gate { door: Door::Public, token: Some(Token::new(SECRET.to_owned())) };
        let sent = |value: &str| asked(&gate, &[("authorization", value)]);
        assert_eq!(sent(&format!("Bearer {SECRET}")), Ok(()));
        assert_eq!(sent(&format!("bearer  {SECRET}")), Ok(()));
        // "x:correct-horse-battery-staple" and ":correct-horse-battery-staple"
        assert_eq!(sent("Basic eDpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl"), Ok(()));
        assert_eq!(sent("Basic OmNvcnJlY3QtaG9yc2UtYmF0dGVyeS1zdGFwbGU="), Ok(()));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer correct-horse-battery-stapl",
            "Bearer correct-horse-battery-staple2",
            "Basic",
            "Basic ???",
            "Basic eDp4",
            "Digest correct-horse-battery-staple",
            SECRET,
        ] {
            assert_eq!(sent(wrong), Err(Refusal::Unauthorized), "{wrong:?}");
        }
        assert_eq!(asked(&gate, &[]), Err(Refusal::Unauthorized));
    }

    #[test]
    fn others_are_let_in_only_if_somebody_said_so_and_there_is_a_token() {
        let token = Token::new(SECRET.to_owned());
        let may = |address: &str, public, token| {
            may_listen(Some(address.parse().unwrap()), public, token).map_err(|e| e.to_string())
        };
        for loopback in ["127.0.0.1:0", "[::1]:80", "127.3.2.1:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(may(loopback, false, None), Ok(()), "{loopback}");
        }
        for public in ["0.0.0.0:80", "[::]:80", "192.168.0.1:80", "[::ffff:10.0.0.1]:80"] {
            assert!(may(public, false, None).unwrap_err().contains("HttpEndpoint::public"), "{public}");
            assert!(may(public, false, Some(&token)).unwrap_err().contains("HttpEndpoint::public"), "{public}");
            assert!(may(public, true, None).unwrap_err().contains("HttpEndpoint::token"), "{public}");
            assert_eq!(may(public, true, Some(&token)), Ok(()), "{public}");
        }
        let weak = |secret: &str| Token::new(secret.to_owned()).fault().unwrap().to_string();
        assert!(weak("").contains("guessed"));
        assert!(weak("fifteen-letters").contains("guessed"));
        let guessable = Token::new("weak".to_owned());
        assert!(may("127.0.0.1:0", false, Some(&guessable)).unwrap_err().contains("guessed"));
        assert!(may_listen(None, false, Some(&guessable)).is_err() && may_listen(None, false, None).is_ok());
        assert!(weak("sixteen letters and more").contains("printable"));
        assert_eq!(format!("{token:?}"), "Token(..)", "a token is not written anywhere");
    }
}
