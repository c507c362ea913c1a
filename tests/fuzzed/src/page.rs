//! `page`: a request to the page, in the form of HTTP, by a person who is signed in. `DLV` stands for the id of the delivery that
//! there is.

use crate::world::{Written, with_account};

/// A tag that no page of ours has.
const TAG: &str = "<z9";

pub(crate) fn check(input: &[u8]) {
    let Some(written) = Written::read(input) else { return };
    with_account(|world| {
        let sender = if written.target.contains('?') { "&account=" } else { "?account=" };
        let target = format!("{}{sender}{}", written.target.replace("DLV", &world.delivery), world.account);
        let Some(answer) = world.visit(&Written { target: &target, ..written }) else { return };
        assert!(answer.status < 500, "{target}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        let place = answer.header("location");
        let is_ours = place.starts_with('/') && !place.starts_with("//") && !place.contains('\\');
        assert!(place.is_empty() || is_ours, "it leads to {place}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.starts_with("__Host-synchub") && cookie.contains("; HttpOnly; Secure; "), "{cookie}");
        }
        if answer.header("content-type").starts_with("text/html") && answer.header("content-encoding").is_empty() {
            assert!(!answer.text().contains(TAG), "{}", answer.text());
        }
    });
}
