//! Tests of links, sessions and signing out.

use std::time::Duration;

use axum::body::Body;
use domain::access::Role;
use http::Request;
use serde_json::json;

use crate::world::{Page, World, world, world_in_frames_of};

#[tokio::test]
async fn a_link_opens_once_and_leads_to_the_wizard_for_its_scope() {
    let world = world().await;
    let link = world.link("acme", Role::Editor, Some("connection/xero/endpoint/invoices")).await;
    let page = world.post("", "/open", &[("token", &link)]).await;
    assert_eq!(page.status, 303);
    assert_eq!(page.location(), "/configure?scope=connection%2Fxero%2Fendpoint%2Finvoices");
    let cookie = page.headers["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-synchub=whs_acme."), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
    let again = world.post("", "/open", &[("token", &link)]).await;
    assert_eq!(again.status, 410);
    again.shows("This link was opened before");
    assert!(!again.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn an_expired_link_and_one_that_is_none_say_so() {
    let world = world().await;
    let link = world.link("acme", Role::Editor, None).await;
    world.clock.advance(Duration::from_secs(301));
    let page = world.post("", "/open", &[("token", &link)]).await;
    assert_eq!(page.status, 410);
    page.shows("was not opened in time");
    let page = world.post("", "/open", &[("token", "https://page.example/<b>")]).await;
    assert_eq!(page.status, 422);
    page.shows("not a link we know").hides("<b>");
}

#[tokio::test]
async fn a_link_that_could_not_be_looked_up_is_kept_to_be_tried_again() {
    let world = world().await;
    let link = world.link("acme", Role::Editor, None).await;
    let (_, token) = link.split_once('#').expect("a token");
    let cookie = world.visitor("acme", Role::Editor).await;
    for failing in ["open_session", "find_session"] {
        world.store.fail(failing, 1);
        let page = world.post(&cookie, "/open", &[("token", &link)]).await;
        assert_eq!(page.status, 503);
        page.shows("Your link is as good as before").shows(&format!("value=\"{token}\"")).hides("data-open");
    }
    assert_eq!(world.post(&cookie, "/open", &[("token", token)]).await.status, 303);
}

#[tokio::test]
async fn a_link_into_another_account_asks_before_it_ends_the_session() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let link = world.link("rival", Role::Editor, None).await;
    let page = world.post(&cookie, "/open", &[("token", &link)]).await;
    assert_eq!(page.status, 409);
    page.shows("signed in for the account <b>acme</b>").shows("this link is for <b>rival</b>").hides("data-open");
    assert!(!page.headers.contains_key("set-cookie"));
    let page = world.post(&cookie, "/open", &[("token", &link), ("leave", "acme")]).await;
    assert_eq!(page.status, 303, "the link was not used up by asking");
    assert!(page.headers["set-cookie"].to_str().expect("text").starts_with("__Host-synchub=whs_rival."));
    assert_eq!(world.get(&cookie, "/").await.status, 401, "the session was ended");
    let (cookie, own) = (world.visitor("acme", Role::Editor).await, world.link("acme", Role::Editor, None).await);
    assert_eq!(world.post(&cookie, "/open", &[("token", &own)]).await.status, 303, "of the same account nobody asks");
}

#[tokio::test]
async fn a_form_of_another_account_does_nothing() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let path = format!("/destinations/{id}/pause");
    world.get(&cookie, &format!("/destinations/{id}")).await.shows(&format!("action=\"{path}?account=acme\""));
    for (sender, words) in [("?account=rival", "signed in for the account “acme”"), ("", "open the page again")] {
        let page = world.post_from(&cookie, &format!("{path}{sender}"), &[]).await;
        assert_eq!(page.status, 409);
        page.shows(words).shows("Nothing was done").shows("href=\"/\"");
    }
    // This holds for the steps of the wizard as well, although they change nothing.
    let step = |account: &str| format!("/configure?step=when&scope=*&type=*&account={account}");
    let page = world.get(&cookie, &step("acme")).await;
    page.shows("<input type=\"hidden\" name=\"account\" value=\"acme\">").shows("Which of them?");
    assert_eq!(page.text.matches("name=\"account\"").count(), 1);
    assert_eq!(world.get(&cookie, &step("rival")).await.status, 409);
    let (_, destination) = world.call("acme", "GET", &format!("/v1/destinations/{id}"), json!(null)).await;
    assert_eq!(destination["paused"], false);
    assert_eq!(world.post_from(&cookie, &format!("{path}?account=acme"), &[]).await.status, 303);
    // A `GET` to the address of a form.
    let page = world.get(&cookie, &path).await;
    assert_eq!(page.status, 405);
    page.shows("only takes forms").shows("href=\"/\"");
}

#[tokio::test]
async fn who_has_no_session_or_one_that_has_ended_is_told_so() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    assert_eq!(world.get(&cookie, "/").await.status, 303);
    let page = world.get("__Host-synchub=whs_acme.x.y", "/").await;
    assert_eq!(page.status, 401);
    page.shows("Your session has ended").shows("you get a new link").hides("leads back").hides("<nav");
    world.clock.advance(Duration::from_secs(15 * 60));
    let page = world.get(&cookie, "/deliveries").await;
    assert_eq!(page.status, 401);
    page.shows("Your session has ended").shows("it leads back to this page");
}

#[tokio::test]
async fn who_never_was_signed_in_is_told_how_to_get_in() {
    let world = world().await;
    for cookie in ["", "other=1"] {
        for path in ["/", "/destinations"] {
            let page = world.get(cookie, path).await;
            assert_eq!(page.status, 401);
            page.shows("You are not signed in").shows("Choose “Configure webhooks”").shows("href=\"/open\"");
            page.hides("session").hides("new link");
            assert!(!page.headers.contains_key("set-cookie"), "there is no account to come back to");
        }
    }
}

/// The cookie that an answer sets beside the session's, as a browser sends it.
fn place(page: &Page) -> Option<String> {
    let lines = page.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("text"));
    let line = lines.into_iter().find(|line| line.starts_with("__Host-synchub-was="))?;
    assert!(line.contains("; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"), "{line}");
    Some(line.split(';').next().expect("a cookie").to_owned())
}

/// Where a new link leads somebody who has this cookie.
async fn leads(world: &World, account: &str, cookie: &str) -> String {
    let link = world.link(account, Role::Editor, Some("connection/xero")).await;
    let page = world.post_from(cookie, "/open", &[("token", &link)]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let forgotten = "__Host-synchub-was=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax";
    assert!(page.headers.get_all("set-cookie").iter().any(|line| line == forgotten), "it is used once");
    page.location().to_owned()
}

#[tokio::test]
async fn who_opens_a_new_link_comes_back_to_where_they_were() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    world.clock.advance(Duration::from_secs(15 * 60));
    let draft = "/configure?step=when&scope=*&type=*&when=pattern&pattern=%7B%22a%22%3B%7D";
    for path in [draft, &format!("/destinations/{id}/edit"), "/deliveries?status=exhausted"] {
        let was = place(&world.get(&cookie, path).await).expect("where it was");
        assert_eq!(leads(&world, "acme", &format!("{cookie}; {was}")).await, path);
        // The page before is another account's.
        assert_eq!(leads(&world, "rival", &was).await, "/configure?scope=connection%2Fxero");
    }
    // Of a form, it is the page that it is on.
    let request = Request::post(format!("/destinations/{id}/pause?account=acme"))
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin")
        .header("referer", format!("https://page.example/destinations/{id}?done=saved"));
    let was = place(&world.ask(request.body(Body::empty()).expect("a request")).await).expect("where it was");
    assert_eq!(leads(&world, "acme", &was).await, format!("/destinations/{id}?done=saved"));
    // The start, and what scripts ask for, are nowhere to come back to.
    for path in ["/", "/renew"] {
        assert_eq!(place(&world.get(&cookie, path).await), None, "{path}");
    }
    let link = world.link("acme", Role::Editor, None).await;
    assert_eq!(world.post("", "/open", &[("token", &link)]).await.location(), "/configure");
}

#[tokio::test]
async fn a_place_from_elsewhere_is_kept_without_what_it_would_fill_in() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    world.clock.advance(Duration::from_secs(15 * 60));
    let path = "/configure?step=where&scope=*&type=*&to=new&url=https://stolen.example/";
    for headers in [[].as_slice(), &[("sec-fetch-site", "cross-site")], &[("sec-fetch-site", "none")]] {
        let was = place(&world.get_with(&cookie, path, headers).await).expect("where it was");
        assert_eq!(leads(&world, "acme", &was).await, "/configure", "{headers:?}");
    }
    let request = Request::post("/configure?account=acme")
        .header("cookie", &cookie)
        .header("origin", "https://page.example")
        .header("referer", "https://page.example.evil.example/configure");
    assert_eq!(place(&world.ask(request.body(Body::empty()).expect("a request")).await), None);
}

#[tokio::test]
async fn what_was_typed_when_a_session_ended_is_kept() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let path = format!("/destinations/{id}/edit");
    let etag = world.get(&cookie, &path).await.hidden("etag");
    let fields = [
        ("etag", etag.as_str()),
        ("name", "Billing <b>"),
        ("url", "https://example.com/new"),
        ("description", "\r\ntwo\r\nlines"),
        ("headers", ""),
        ("timeout_seconds", "20"),
        ("rate_limit", ""),
        ("retry", "short"),
        ("waits", ""),
    ];
    world.clock.advance(Duration::from_secs(15 * 60));
    let page = world.post(&cookie, &path, &fields).await;
    assert_eq!(page.status, 401);
    page.shows("Your session has ended").shows("Nothing was changed").shows("Send again");
    page.shows(&format!("action=\"{path}?account=acme\""));
    page.shows("readonly>\nBilling &#60;b&#62;</textarea>").shows("readonly>\n\r\ntwo\r\nlines</textarea>");
    page.shows("<input type=\"hidden\" name=\"retry\" value=\"short\">");
    assert_eq!(page.hidden("etag"), etag);
    // All that it needs is there: with a new link, it is sent as it was.
    let cookie = world.visitor("acme", Role::Editor).await;
    assert_eq!(world.post(&cookie, &path, &fields).await.status, 303);
    let (_, destination) = world.call("acme", "GET", &format!("/v1/destinations/{id}"), json!(null)).await;
    assert_eq!((&destination["name"], &destination["timeout_seconds"]), (&json!("Billing <b>"), &json!(20)));
    // A button alone has nothing to keep.
    let page = world.post("", &format!("/destinations/{id}/pause?account=acme"), &[]).await;
    assert_eq!(page.status, 401);
    page.hides("What you typed");
}

#[tokio::test]
async fn what_looks_like_a_secret_is_not_shown_again() {
    let world = world().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let fields = [("name", "Billing"), ("headers", &*format!("x-key: {secret}")), ("etag", secret)];
    let page = world.post("", "/destinations/dst_0000000000000000/edit?account=acme", &fields).await;
    assert_eq!(page.status, 401);
    page.shows("readonly>\nBilling</textarea>").shows("x-key: whsec_…").hides("MfKQ9r8").hides("Send again");
    page.shows("What looks like a secret is left out.");
}

#[tokio::test]
async fn a_message_keeps_the_navigation_of_who_is_signed_in() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let long = "x".repeat(65 * 1024);
    for (page, status) in [
        (world.get(&cookie, "/no-such-page").await, 404),
        (world.get(&cookie, "/destinations/dst_0000000000000000").await, 404),
        (world.get(&cookie, "/configure").await, 403),
        (world.get(&cookie, "/sign-out").await, 405),
        (world.post(&cookie, "/configure", &[("url", &long)]).await, 413),
        (world.post_from(&cookie, "/configure?account=rival", &[]).await, 409),
    ] {
        assert_eq!(page.status, status);
        page.shows("<nav class=\"nav\"")
            .shows("href=\"/deliveries\"")
            .shows("<span class=\"who-name\" title=\"Account\">acme<");
        page.hides("href=\"/configure\"");
    }
    let stranger = world.get("", "/no-such-page").await;
    assert_eq!(stranger.status, 404);
    stranger.hides("<nav").hides("acme");
    // Who has signed out is nobody any more.
    world.post(&cookie, "/sign-out", &[]).await.shows("You are signed out").hides("<nav");
}

#[tokio::test]
async fn the_page_speaks_english_whatever_the_browser_does() {
    let world = world().await;
    let page = world.get("", "/open").await;
    let script = page.text.split('"').find(|text| text.starts_with("/assets/") && text.ends_with(".js"));
    let script = world.get("", script.expect("a script")).await;
    let formats = script.text.matches("new Intl.").count();
    assert!(
        formats > 0 && script.text.matches("Format(english, ").count() == formats,
        "a format of the browser's language"
    );
    script.shows("const english = \"en-GB\";").hides("toLocale");
}

#[tokio::test]
async fn a_ring_around_what_can_be_cut_is_inside_of_it() {
    let world = world().await;
    let page = world.get("", "/open").await;
    let styles = page.text.split('"').find(|text| text.ends_with(".css")).expect("a stylesheet");
    let styles = world.get("", styles).await;
    styles.shows(".nav :focus-visible, .clip :focus-visible { outline-offset: -2px; }");
    // What is cut and has a link within: the link is what is cut, so that the whole ring is there.
    styles.shows(".clip, .clip > a {").shows(".clip:has(> a) { margin-inline: -.25rem; }");
}

#[tokio::test]
async fn what_another_site_sends_is_refused() {
    let world = world().await;
    let sent = async |headers: &[(&str, &str)]| {
        let request = Request::post("/sign-out");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        world.ask(request.body(Body::empty()).expect("a request")).await
    };
    let (ours, theirs) = (("origin", "https://page.example"), ("origin", "https://evil.example"));
    for headers in [
        [("host", "page.example"), theirs],
        [("host", "evil.example"), theirs],
        [("host", "page.example"), ("origin", "null")],
        [("host", "page.example"), ("origin", "")],
        [("host", "page.example"), ("origin", "http://page.example")],
        [("host", "page.example"), ("origin", "https://page.example:8443")],
        [("host", "page.example"), ("origin", "https://page.example.evil.example")],
        [("host", "page.example"), ("referer", "https://page.example/")],
        [("sec-fetch-site", "cross-site"), ours],
        [("sec-fetch-site", "same-site"), ours],
        [("sec-fetch-site", "none"), ours],
    ] {
        let page = sent(&headers).await;
        assert_eq!(page.status, 403, "{headers:?}");
        page.shows("came from another site");
    }
    assert_eq!(sent(&[]).await.status, 403);
    // A proxy in front of the API has the host name that the browser knows.
    for headers in [[("host", "abc.execute-api.example"), ours], [("sec-fetch-site", "same-origin"), theirs]] {
        assert_eq!(sent(&headers).await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn who_signs_out_is_out_wherever_the_cookie_is_kept() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let page = world.post(&cookie, "/sign-out", &[]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["set-cookie"], "__Host-synchub=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    assert_eq!(world.get(&cookie, "/").await.status, 401);
    assert_eq!(world.post(&cookie, "/sign-out", &[]).await.status, 200);
}

#[tokio::test]
async fn what_no_route_of_the_api_took_is_answered_as_the_api_does() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Admin).await;
    for (method, path) in
        [("GET", "/admin/v1/rejected-events/a%0Ab"), ("PATCH", "/v1/destinations/a%0Ab"), ("POST", "/v1/sessions")]
    {
        let request = Request::builder().method(method).uri(path).header("cookie", &cookie);
        let answer = world.ask(request.body(Body::from("{}")).expect("a request")).await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (404, &"application/problem+json".parse().expect("a type"))
        );
        answer.shows("\"code\":\"not_found\"");
    }
}

#[tokio::test]
async fn a_path_that_normalizes_to_another_one_leads_nowhere() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Admin).await;
    for (sent, path, status) in [
        ("/destinations", "/destinations", 200),
        ("/x/../destinations", "/destinations", 404),
        ("/desti\nnations", "/destinations", 404),
        ("/x/../v1/destinations", "/v1/destinations", 404),
    ] {
        let request = Request::get(path).header("cookie", &cookie).body(Body::empty()).expect("a request");
        let answer = world.ask(lambda_http::RequestExt::with_raw_http_path(request, sent)).await;
        assert_eq!(answer.status, status, "{sent}");
    }
}

#[tokio::test]
async fn a_page_may_be_framed_by_nobody_or_by_who_was_named() {
    let page = world().await.get("", "/open").await;
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none';") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["x-frame-options"], "DENY");
    assert_eq!(page.headers["cache-control"], "no-store");

    let framed = world_in_frames_of("https://app.example").await;
    let page = framed.post("", "/sign-out", &[]).await;
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.ends_with("frame-ancestors https://app.example"), "{policy}");
    assert!(!page.headers.contains_key("x-frame-options"));
    let cookie = page.headers["set-cookie"].to_str().expect("text");
    assert!(cookie.ends_with("Secure; SameSite=None; Partitioned"), "{cookie}");
}

#[tokio::test]
async fn stylesheet_and_script_are_small_and_kept_for_ever() {
    let world = world().await;
    let page = world.get("", "/open").await;
    let assets: Vec<&str> = page.text.split('"').filter(|text| text.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for asset in assets {
        let answer = world.get("", asset).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        assert!(answer.text.len() < 30 * 1024, "{asset}: {} bytes", answer.text.len());
    }
    assert_eq!(world.get("", "/assets/page-0000000000000000.css").await.status, 404);
}
