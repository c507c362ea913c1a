//! Reads, sets and removes the session cookie.
//!
//! Invariant: a cookie that cannot be read signs nobody out (tests: `a_cookie_that_cannot_be_read_is_passed_over`, where
//! Lambda hands them in `a_cookie_that_no_header_can_carry_is_passed_over`).
//!
//! The `cookie` crate is not used: it writes the attributes in another order, and it accepts a space after the name.

use domain::access::PresentedSession;
use domain::access::session::LONGEST;
use http::{HeaderMap, header};

/// The name of the session cookie. Its prefix prevents other hosts of the domain from setting it.
const COOKIE: &str = "__Host-synchub";

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

    /// Sets the cookie.
    pub fn session(self, token: &str) -> String {
        self.line(token, LONGEST.as_secs())
    }

    /// Removes the cookie.
    pub fn none(self) -> String {
        self.line("", 0)
    }

    fn line(self, value: &str, seconds: u64) -> String {
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; {}", self.attributes)
    }
}

/// The session token that a request presents. Nothing is checked but its form. Cookies that cannot be read are passed over,
/// also those of our name: they are no reason to sign anybody out.
pub fn presented(headers: &HeaderMap) -> Option<PresentedSession> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let cookies = cookies.filter_map(|cookie| str::from_utf8(cookie).ok()?.trim().split_once('='));
    cookies.filter(|(name, _)| *name == COOKIE).find_map(|(_, value)| value.parse().ok())
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

    #[test]
    fn the_cookie_is_for_this_host_and_no_script_and_in_frames_kept_apart() {
        let flags = "Path=/; Max-Age=28800; HttpOnly; Secure";
        assert_eq!(Cookies::new(false).session("t"), format!("__Host-synchub=t; {flags}; SameSite=Lax"));
        assert_eq!(Cookies::new(true).session("t"), format!("__Host-synchub=t; {flags}; SameSite=None; Partitioned"));
        assert_eq!(Cookies::new(false).none(), "__Host-synchub=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    }
}
