//! Reads, sets and removes the session cookie, and the cookie that says where a visitor was when their session ended.
//!
//! Invariant: a cookie that cannot be read signs nobody out (tests: `a_cookie_that_cannot_be_read_is_passed_over`, and for
//! cookies as Lambda passes them `a_cookie_that_no_header_can_carry_is_passed_over`).
//!
//! The `cookie` crate is not used: it writes the attributes in another order, and it accepts a space after the name.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use domain::access::PresentedSession;
use domain::access::session::LONGEST;
use domain::value::AccountId;
use http::uri::PathAndQuery;
use http::{HeaderMap, header};

/// The name of the session cookie. Its prefix prevents other hosts of the domain from setting it.
const COOKIE: &str = "__Host-synchub";
/// The name of the cookie that says where a visitor was.
const PLACE: &str = "__Host-synchub-was";
/// How long a visitor may take to come back with a new link.
const COMING_BACK: Duration = Duration::from_secs(15 * 60);
/// The longest place that is kept, in bytes. Browsers keep cookies up to 4 KiB.
const LONGEST_PLACE: usize = 2_048;

/// Builds the `Set-Cookie` lines that set and remove the session cookie.
#[derive(Clone, Copy)]
pub struct Cookies {
    /// The attributes that decide when a browser sends the cookie. Browsers send no `Lax` cookie inside a frame of
    /// another site, so a framed page uses a cookie that is partitioned by that site.
    attributes: &'static str,
}

impl Cookies {
    pub fn new(framed: bool) -> Self {
        let attributes = if framed { "SameSite=None; Partitioned" } else { "SameSite=Lax" };
        Self { attributes }
    }

    /// Sets the session cookie.
    pub fn session(self, token: &str) -> String {
        self.line(COOKIE, token, LONGEST)
    }

    /// Removes the session cookie.
    pub fn none(self) -> String {
        self.line(COOKIE, "", Duration::ZERO)
    }

    /// Remembers where a visitor of this account was. If the place is too long, its query is left out.
    pub fn was(self, account: &AccountId, place: &str) -> String {
        let short = if place.len() > LONGEST_PLACE { place.split('?').next().unwrap_or_default() } else { place };
        let value = format!("{account}.{}", BASE64URL_NOPAD.encode(short.as_bytes()));
        self.line(PLACE, &value, COMING_BACK)
    }

    /// Forgets where a visitor was.
    pub fn was_nowhere(self) -> String {
        self.line(PLACE, "", Duration::ZERO)
    }

    fn line(self, name: &str, value: &str, lasting: Duration) -> String {
        let seconds = lasting.as_secs();
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; {}", self.attributes)
    }
}

/// The values of the cookies of this name. Cookies that cannot be read are skipped.
fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let cookies = cookies.filter_map(|cookie| str::from_utf8(cookie).ok()?.trim().split_once('='));
    cookies.filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

/// The session token that a request presents. Only its form is checked. Cookies that cannot be read are skipped, even those
/// of our name: they are no reason to sign anybody out.
pub fn presented(headers: &HeaderMap) -> Option<PresentedSession> {
    values(headers, COOKIE).find_map(|value| value.parse().ok())
}

/// Whether the browser still has a session cookie, even of a session that has ended.
pub fn was_signed_in(headers: &HeaderMap) -> bool {
    values(headers, COOKIE).next().is_some()
}

/// Where a visitor of this account was when their session ended. It is always a path of ours.
pub fn place(headers: &HeaderMap, account: &AccountId) -> Option<String> {
    values(headers, PLACE).find_map(|value| {
        let (of, place) = value.split_once('.')?;
        let place = String::from_utf8(BASE64URL_NOPAD.decode(place.as_bytes()).ok()?).ok()?;
        (of == account.as_str() && is_ours(&place)).then_some(place)
    })
}

/// Whether the browser has a remembered place, of any account.
pub fn knows_place(headers: &HeaderMap) -> bool {
    values(headers, PLACE).next().is_some()
}

/// Whether a redirect to this stays on our pages: it begins with one slash, and has nothing that browsers read as a second.
pub fn is_ours(place: &str) -> bool {
    let (mut bytes, rest) = (place.bytes(), place.bytes().skip(1));
    bytes.next() == Some(b'/')
        && bytes.next() != Some(b'/')
        && rest.clone().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && place.parse::<PathAndQuery>().is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::access::{PresentedLink, Role, Session};
    use domain::value::{AccountId, SessionId, Timestamp};
    use http::HeaderValue;

    use super::*;

    fn token() -> String {
        let (id, account) = (SessionId::from_entropy([3; 10]), "acme".parse::<AccountId>().expect("an account"));
        let now = Timestamp::from_unix_ms(0);
        let (mut session, link) =
            Session::offer(id, account, (Role::Editor, None), [1; 32], now, Duration::from_secs(300));
        let link = link.parse::<PresentedLink>().expect("a link");
        session.open(&link, [2; 32], now).expect("opened").to_string()
    }

    #[track_caller]
    fn check(lines: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = line.replace("TOKEN", &token());
            headers.append(header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).expect("a header"));
        }
        let account = presented(&headers).map(|presented| presented.account.to_string());
        assert_eq!(account.as_deref(), expected, "{lines:?}");
    }

    #[test]
    fn the_cookie_is_found_among_others_and_by_its_name_only() {
        check(&["__Host-synchub=TOKEN"], Some("acme"));
        check(&["a=b;__Host-synchub=TOKEN ; c"], Some("acme"));
        check(&["a=b", "nothing", "c=d; __Host-synchub=TOKEN"], Some("acme"));
        check(&["__Host-synchub =TOKEN", "__host-synchub=TOKEN", "synchub=TOKEN", "=__Host-synchub=TOKEN"], None);
        check(&["__Host-synchub", "__Host-synchub=\"TOKEN\""], None);
        check(&[], None);
    }

    #[test]
    fn a_cookie_that_cannot_be_read_is_passed_over() {
        check(&["n=é; __Host-synchub=TOKEN"], Some("acme"));
        check(&["__Host-synchub=TOKEN; n=\u{1f980}; é"], Some("acme"));
        check(&["n=é", "__Host-synchub=TOKEN"], Some("acme"));
        check(&["__Host-synchub=x; __Host-synchub=TOKEN"], Some("acme"));
        check(&["__Host-synchub=é; __Host-synchub=TOKEN"], Some("acme"));
        check(&["__Host-synchub=é; n=TOKEN"], None);
        let mut headers = HeaderMap::new();
        let line = [b"n=\xff\xfe; ".as_slice(), format!("__Host-synchub={}", token()).as_bytes()].concat();
        headers.append(header::COOKIE, HeaderValue::from_bytes(&line).expect("a header"));
        assert!(presented(&headers).is_some());
    }

    #[track_caller]
    fn check_place(account: &str, cookie: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_str(cookie).expect("a header"));
        let account = account.parse().expect("an account");
        assert_eq!(place(&headers, &account).as_deref(), expected, "{cookie}");
    }

    #[test]
    fn who_comes_back_is_led_to_a_path_of_ours_in_the_same_account() {
        let acme = "acme".parse::<AccountId>().expect("an account");
        let kept = |place: &str| {
            let line = Cookies::new(false).was(&acme, place);
            line.split(';').next().expect("a cookie").to_owned()
        };
        let path = "/configure?step=where&scope=*&name=a;b,%22c%22";
        check_place("acme", &format!("a=b; {}", kept(path)), Some(path));
        check_place("acme", &kept("/"), Some("/"));
        check_place("rival", &kept(path), None);
        check_place("acme", &kept(&format!("/events?scope={}", "x".repeat(3_000))), Some("/events"));
        for elsewhere in [
            "",
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "/a\\b",
            "evil",
            "/a b",
            "/\t/evil.example",
            "/a\r\nset-cookie: b",
            "/\u{e9}",
        ] {
            check_place("acme", &kept(elsewhere), None);
        }
        for odd in [
            "__Host-synchub-was=acme.*",
            "__Host-synchub-was=acme",
            "__Host-synchub-was=",
            "__Host-synchub-was=acme._w",
        ] {
            check_place("acme", odd, None);
        }
    }

    #[test]
    fn the_cookie_is_for_this_host_and_no_script_and_in_frames_kept_apart() {
        let flags = "Path=/; Max-Age=28800; HttpOnly; Secure";
        assert_eq!(Cookies::new(false).session("t"), format!("__Host-synchub=t; {flags}; SameSite=Lax"));
        assert_eq!(Cookies::new(true).session("t"), format!("__Host-synchub=t; {flags}; SameSite=None; Partitioned"));
        assert_eq!(Cookies::new(false).none(), "__Host-synchub=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    }
}
