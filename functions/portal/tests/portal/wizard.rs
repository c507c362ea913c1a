//! Tests of the wizard, from “Configure webhooks” to a proven receiver.

use domain::access::Role;
use domain::attempt::Answer;
use domain::event::{Event, SeenScope};
use ports::{Clock, SeenScopes};
use serde_json::json;
use testing::{Step, account, event_text};

use crate::log::seen;
use crate::world::{Page, World, world};

const CHOSEN: &[(&str, &str)] =
    &[("scope", "connection/xero"), ("type", "sync_run.completed"), ("when", "failures"), ("pattern", "")];

fn chosen(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    CHOSEN.iter().chain(more).copied().collect()
}

const NEW: &[(&str, &str)] =
    &[("to", "new"), ("url", "https://billing.example/hooks"), ("destination_name", "Billing")];

/// Sends the last step and follows where that leads, as browsers do.
async fn created(world: &World, cookie: &str, fields: &[(&str, &str)]) -> Page {
    let page = world.post(cookie, "/configure", fields).await;
    if page.status == 303 { world.get(cookie, page.location()).await } else { page }
}

async fn subscriptions(world: &World) -> Vec<serde_json::Value> {
    let (_, list) = world.call("acme", "GET", "/v1/subscriptions", json!(null)).await;
    list["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn everything_that_was_chosen_is_created_at_once_and_the_secret_is_shown() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let page = world.post(&cookie, "/configure", &chosen(NEW)).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.shows("whsec_").shows("The signing secret of <bdi>Billing</bdi>").shows("SYNCHUB_WEBHOOK_SECRET");
    let created = subscriptions(&world).await;
    assert_eq!(created.len(), 1);
    assert_eq!(created[0]["scope"], "connection/xero");
    assert_eq!(created[0]["event_types"], json!(["sync_run.completed"]));
    assert_eq!(created[0]["condition"], json!({ "status": ["failed"] }));
    let destination = created[0]["destination_id"].as_str().expect("an id");
    page.shows(&format!("/configure/test?destination={destination}"));
}

#[tokio::test]
async fn an_existing_destination_is_used_and_no_secret_is_shown() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let id = world.destination("acme", "ERP").await;
    let fields = [chosen(&[("path", "/invoices")]), vec![]].concat();
    let mut fields: Vec<(&str, &str)> = fields;
    fields.push(("to", &id));
    let page = world.post(&cookie, "/configure", &fields).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let expected = format!("/configure/test?destination={id}&wizard=1&type=sync_run.completed&path=%2Finvoices");
    assert_eq!(page.location(), expected);
    assert_eq!(subscriptions(&world).await[0]["path"], "/invoices");
    // Sent again, it would have the same name. The error is shown beside the field.
    let page = created(&world, &cookie, &fields).await;
    assert_eq!(page.status, 422);
    page.shows("another subscription of the account has this name").shows("aria-describedby=\"name-hint name-error\"");
}

#[tokio::test]
async fn a_subscription_is_named_so_that_people_can_read_it() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let id = world.destination("acme", "ERP").await;
    seen(&world, "connection/xero/endpoint/invoices", "Xero").await;
    for (scope, types, expected) in [
        ("*", &["*"][..], "ERP: everything"),
        ("connection/xero/endpoint/invoices", &["sync_run.completed"], "ERP: sync runs of Xero › Invoices"),
        ("connection/xero", &["sync_run.completed", "sync_run.missed"], "ERP: sync runs and missed sync runs of Xero"),
        ("connection/sage", &["*"], "ERP: everything of connection/sage"),
    ] {
        let mut fields = vec![("scope", scope), ("when", "all"), ("to", id.as_str())];
        fields.extend(types.iter().map(|name| ("type", *name)));
        let page = world.post(&cookie, "/configure", &fields).await;
        assert_eq!(page.status, 303, "{}", page.text);
        assert!(subscriptions(&world).await.iter().any(|one| one["name"] == expected), "{expected}");
    }
}

#[tokio::test]
async fn a_place_chooses_the_kinds_of_events_that_happen_there() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let checked = |name: &str| format!("value=\"{name}\" checked");
    let page = world.get(&cookie, "/configure?scope=connection/xero/insight/cash-flow").await;
    page.shows(&checked("insight_population.completed")).hides(&checked("sync_run.completed"));
    page.shows(&checked("connection/xero/insight/cash-flow"));
    let page = world.get(&cookie, "/configure?scope=connection/xero").await;
    page.shows(&checked("insight_population.completed")).shows(&checked("sync_run.completed"));
    page.hides(&checked("sync_run.missed")).hides(&checked("destination.failing"));
}

#[tokio::test]
async fn a_step_that_is_left_wrong_is_shown_again_with_what_to_mend() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let page = world.get(&cookie, "/configure?step=when").await;
    assert_eq!(page.status, 422);
    page.shows("choose a place").shows("choose at least one kind of event");
    let page = world.get(&cookie, "/configure?step=where&scope=other&place=xero&type=sync_run.completed").await;
    assert_eq!(page.status, 422);
    page.shows("id=\"place-error\"").shows("aria-invalid=\"true\"").shows("value=\"xero\"");
    let broken = "/configure?step=where&scope=*&type=sync_run.completed&when=pattern&pattern=%7B%22status%22%3A1%7D";
    let page = world.get(&cookie, broken).await;
    assert_eq!(page.status, 422);
    page.shows("Which of these events?").shows("{&#34;status&#34;:1}");
}

#[tokio::test]
async fn a_link_from_elsewhere_fills_in_a_place_and_types_alone() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let id = world.destination("acme", "ERP").await;
    let filled = "scope=connection/xero&type=sync_run.completed&to=new&url=https://stolen.example/\
                  &destination_name=Stolen&path=/stolen&name=Stolen&when=pattern&pattern=stolen&check=1&find=stolen";
    let (ours, referrer) = (("sec-fetch-site", "same-origin"), ("referer", "https://page.example/configure?a=b"));
    for headers in [
        [].as_slice(),
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none"), referrer],
        &[("referer", "https://evil.example/https://page.example/")],
        &[("referer", "http://page.example/")],
    ] {
        for step in ["what", "when", "where"] {
            let page = world.get_with(&cookie, &format!("/configure?step={step}&{filled}"), headers).await;
            assert_eq!(page.status, 200, "{step} {headers:?}");
            page.hides("stolen").hides("Stolen").shows("connection/xero").shows("sync_run.completed");
        }
        let test = format!("/configure/test?destination={id}&path=/stolen");
        world.get_with(&cookie, &test, headers).await.hides("stolen").shows("ERP");
    }
    for header in [ours, referrer] {
        let page = world.get_with(&cookie, &format!("/configure?step=where&{filled}"), &[header]).await;
        page.shows("https://stolen.example/").shows("Stolen");
    }
}

#[tokio::test]
async fn a_button_leads_on_from_the_step_that_its_form_is_of() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    // Browsers send the form's own field first, then the button's.
    let sent = |button: &str| format!("/configure?scope=*&type=sync_run.completed&step=when&when=all&step={button}");
    world.get(&cookie, &sent("where")).await.shows("A new destination");
    world.get(&cookie, &sent("what")).await.shows("Where does it happen?");
}

#[tokio::test]
async fn a_pattern_is_checked_against_the_samples_before_it_is_used() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let path = |pattern: &str| {
        let pattern: String = url::form_urlencoded::byte_serialize(pattern.as_bytes()).collect();
        format!("/configure?step=when&check=1&scope=*&type=sync_run.completed&when=pattern&pattern={pattern}")
    };
    let page = world.get(&cookie, &path(r#"{"status":["failed"]}"#)).await;
    page.shows("sync_run.completed, succeeded")
        .shows("Not sent: <code>status</code> is &#34;succeeded&#34;; wanted: &#34;failed&#34;");
    let page = world.get(&cookie, &path(r#"{"status":"#)).await;
    page.shows("this is not JSON");
    let page = world.get(&cookie, &path(r#"{"status":[]}"#)).await;
    page.shows("<code>/status</code>");
    // An empty pattern is no error: the script asks for the check as soon as this choice is made.
    let page = world.get(&cookie, &path("")).await;
    page.hides("this is not JSON").shows("Type a pattern");
}

#[tokio::test]
async fn a_change_is_shown_to_hang_on_the_run_before() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let page = world.get(&cookie, "/configure?step=when&scope=*&type=sync_run.completed&when=broke").await;
    page.shows("Sent, if the previous one succeeded").shows("Not sent: it succeeded, so nothing broke");
    page.shows("Not sent: it neither failed nor succeeded");
}

#[tokio::test]
async fn what_never_happens_at_the_place_is_told_before_anything_is_created() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let at = |types: &str| format!("/configure?step=when&scope=connection/xero/endpoint/invoices&{types}");
    for types in ["type=insight_population.completed", "type=destination.failing"] {
        let page = world.get(&cookie, &at(types)).await;
        assert_eq!(page.status, 422);
        page.shows("id=\"type-error\"").shows("none of these happens at this place");
    }
    let page = world.get(&cookie, &at("type=insight_population.completed&type=sync_run.completed")).await;
    assert_eq!(page.status, 200);
    page.shows("Not sent: it never happens at the place you chose").shows("<p class=\"hint\">Sent</p>");
}

#[tokio::test]
async fn back_and_forward_keep_what_was_typed() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let query = "scope=connection/xero&type=sync_run.completed&when=broke&to=new&url=https://billing.example&destination_name=Billing%20%26%20Co";
    let page = world.get(&cookie, &format!("/configure?step=where&{query}")).await;
    page.shows("value=\"https://billing.example\"").shows("value=\"Billing &#38; Co\"");
    page.shows("<input type=\"hidden\" name=\"when\" value=\"broke\">");
    let page = world.get(&cookie, &format!("/configure?step=what&{query}")).await;
    page.shows("<input type=\"hidden\" name=\"url\" value=\"https://billing.example\">");
    page.shows("value=\"connection/xero\" checked").hides("type=\"hidden\" name=\"scope\"");
}

#[tokio::test]
async fn what_the_api_refuses_stands_by_its_field_and_nothing_is_lost() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let blocked = [("to", "new"), ("url", "https://10.0.0.1/hooks"), ("destination_name", "Billing")];
    let page = created(&world, &cookie, &chosen(&blocked)).await;
    assert_eq!(page.status, 422);
    page.shows("id=\"url-error\"")
        .shows("never called")
        .shows("value=\"https://10.0.0.1/hooks\"")
        .shows("value=\"Billing\"");
    world.destination("acme", "Billing").await;
    let page = created(&world, &cookie, &chosen(NEW)).await;
    page.shows("id=\"destination_name-error\"").shows("another destination of the account has this name");
    let gone = [("to", "dst_0000000000000000")];
    let page = created(&world, &cookie, &chosen(&gone)).await;
    page.shows("id=\"to-error\"").shows("there is no such destination");
    let wrong =
        [("type", "nonsense"), ("scope", "*"), ("to", "new"), ("url", "https://a.example"), ("destination_name", "A")];
    let page = created(&world, &cookie, &wrong).await;
    page.shows("id=\"type-error\"").shows("nonsense");
    assert!(subscriptions(&world).await.is_empty());
}

#[tokio::test]
async fn what_was_refused_has_an_address_that_keeps_it() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let typed = [
        ("step", "where"),
        ("account", "acme"),
        ("to", "new"),
        ("url", "https://10.0.0.1/a&b"),
        ("destination_name", "Billing <b>"),
    ];
    let answer = world.post(&cookie, "/configure", &chosen(&typed)).await;
    assert_eq!(answer.status, 303);
    let address = answer.location().to_owned();
    for _ in ["at first", "reloaded"] {
        let page = world.get(&cookie, &address).await;
        assert_eq!(page.status, 422);
        page.shows("Where to?").shows("id=\"url-error\"").shows("never called");
        page.shows("value=\"https://10.0.0.1/a&#38;b\"").shows("value=\"Billing &#60;b&#62;\"");
        page.shows("<input type=\"hidden\" name=\"when\" value=\"failures\">").hides("name=\"refused\"");
        assert_eq!(page.text.matches("name=\"account\"").count(), 1);
    }
    // From another site no error is shown, because a stranger could have written it.
    let page = world.get_with(&cookie, &address, &[("sec-fetch-site", "cross-site")]).await;
    page.hides("never called").hides("10.0.0.1");
    page.shows("Where to?");
    let made_up = "/configure?step=where&scope=*&type=*&refused=nonsense+x&refused=y";
    assert_eq!(world.get(&cookie, made_up).await.status, 200);
    // There is no address if it would be too long, or contain what looks like a secret.
    let (long, secret) =
        (format!("https://10.0.0.1/{}", "é".repeat(1_000)), "https://10.0.0.1/whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    for url in [long.as_str(), secret] {
        let typed = [("to", "new"), ("url", url), ("destination_name", "Billing")];
        let fields: Vec<(&str, &str)> = CHOSEN.iter().copied().chain(typed).collect();
        let page = world.post(&cookie, "/configure", &fields).await;
        assert_eq!(page.status, 422);
        page.shows("id=\"url-error\"").shows(&format!("value=\"{url}\""));
    }
}

#[tokio::test]
async fn all_wrong_fields_of_the_last_step_are_told_at_once() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let long = "x".repeat(129);
    let typed = [("to", "new"), ("url", "nonsense"), ("destination_name", ""), ("path", "../x"), ("name", &*long)];
    let fields: Vec<(&str, &str)> = CHOSEN.iter().copied().chain(typed).collect();
    let page = created(&world, &cookie, &fields).await;
    assert_eq!(page.status, 422);
    for field in ["url", "destination_name", "path", "name"] {
        page.shows(&format!("id=\"{field}-error\""));
    }
}

/// Notes events at this many tables.
async fn note_tables(world: &World, count: usize) {
    let now = world.clock.now();
    let event = Event::parse(&event_text(&account("acme"), "evt-1"), now).map_err(|rejected| rejected.detail);
    let event = event.expect("an event");
    for n in 0..count {
        let scope = format!("connection/xero/endpoint/t{n:02}").parse().expect("a scope");
        let seen = SeenScope::of_event(&Event { scope, ..event.clone() }, now).expect("a place");
        world.store.note_scope(&seen).await.expect("noted");
    }
}

#[tokio::test]
async fn the_chosen_place_is_seen_without_scrolling() {
    let world = world().await;
    note_tables(&world, 40).await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let scrolls = "<div class=\"choices tree\">";
    for (scope, words) in [
        ("connection/xero/endpoint/t39", "<bdi>Xero</bdi> › <bdi>Invoices</bdi>"),
        ("connection/xero", "<bdi>Xero</bdi>"),
        ("connection/sage/endpoint/none", "Table without a run so far"),
        ("*", "Everywhere"),
    ] {
        let page = world.get(&cookie, &format!("/configure?scope={scope}")).await;
        let (before, rest) = page.text.split_once(scrolls).expect("a list");
        let (_, chosen) = before.split_once(&format!("value=\"{scope}\" checked>")).expect("in sight");
        assert!(chosen.contains(words), "{chosen}");
        // It is there once, and nothing else is chosen.
        assert!(!rest.contains(&format!("name=\"scope\" value=\"{scope}\"")), "{scope}");
        assert_eq!(page.text.matches("name=\"scope\"").count(), if scope.contains("sage") { 44 } else { 43 });
        let (scope_fields, _) = page.text.split_once("What happens?").expect("the kinds of events");
        assert_eq!(scope_fields.matches(" checked").count(), 1);
    }
    // The field for a typed place is below the list that scrolls, not in it.
    let page = world.get(&cookie, "/configure?scope=other&place=connection/xero").await;
    let (_, rest) = page.text.split_once(scrolls).expect("a list");
    rest.split_once("</div>").expect("its end").1.split_once("value=\"other\" data-shows checked").expect("in sight");
}

#[tokio::test]
async fn a_mistyped_place_is_an_error_beside_its_field_and_no_choice() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    for path in [
        "/configure?scope=conection/xero",
        "/configure?scope=other&place=conection/xero",
        "/configure?step=when&type=*&scope=other&place=conection/xero",
        "/configure?step=what&type=*&scope=other&place=conection/xero&find=",
    ] {
        let page = world.get(&cookie, path).await;
        page.shows("id=\"place-error\"").shows("value=\"other\" data-shows checked").hides("Not a place");
        page.shows("id=\"place\" name=\"place\" value=\"conection/xero\"");
        assert_eq!(page.text.matches("conection/xero").count(), 1, "{path}");
    }
    let page = world.get(&cookie, "/configure?step=when&type=*&scope=other&place=").await;
    page.shows("id=\"place-error\" role=\"alert\">type a place");
}

#[tokio::test]
async fn a_secret_that_was_not_shown_is_not_ticked_off() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let left_out =
        "<li class=\"left-out\"><span class=\"step-n\">–</span>Secret<span class=\"sr\"> (not needed)</span></li>";
    let page = world.post(&cookie, "/configure", &chosen(NEW)).await;
    let (_, next) = page.text.split_once("data-next=\"").expect("a next page");
    let next = next.split_once('"').expect("an end").0.replace("&#38;", "&");
    world.get(&cookie, &next).await.hides("not needed");
    let id = world.destination("acme", "ERP").await;
    let fields: Vec<(&str, &str)> = CHOSEN.iter().copied().chain([("to", id.as_str())]).collect();
    let page = created(&world, &cookie, &fields).await;
    page.shows(left_out);
    assert_eq!(page.text.matches("<li class=\"done\">").count(), 3);
    // It is still so after a test.
    let fields = [("destination", id.as_str()), ("wizard", "1"), ("sample", "sync_run.completed failed")];
    world.post(&cookie, "/configure/test", &fields).await.shows(left_out).shows("name=\"wizard\" value=\"1\"");
    world.get(&cookie, &format!("/configure/test?destination={id}")).await.hides("aria-label=\"Steps\"");
}

#[tokio::test]
async fn a_viewer_is_shown_no_wizard_and_creates_nothing() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    for page in [
        world.get(&cookie, "/configure").await,
        world.post(&cookie, "/configure", &chosen(NEW)).await,
        world.get(&cookie, "/configure/test").await,
        world.post(&cookie, "/configure/test", &[]).await,
    ] {
        assert_eq!(page.status, 403);
        page.shows("You may not do this");
    }
    assert!(subscriptions(&world).await.is_empty());
}

#[tokio::test]
async fn a_test_shows_the_request_and_the_answer_and_what_the_receiver_does_not_refuse() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let id = world.destination("acme", "ERP").await;
    // The receiver answers 200 to everything, with markup in the first answer.
    let body = b"<script>alert(1)</script>".to_vec();
    let answer = Answer::new(200, [("x-powered-by", "<b>".as_bytes())].into_iter(), body, false);
    world.sender.script("https://example.com/hooks", [Step::AnswerInFull(answer)]);
    let fields = [("destination", id.as_str()), ("sample", "sync_run.completed failed"), ("prove", "1")];
    let page = world.post(&cookie, "/configure/test", &fields).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.shows("POST https://example.com/hooks").shows("webhook-signature: v1,").shows("rate_limited");
    page.shows("Your receiver is not proven yet").hides("Your receiver is proven");
    page.shows("it accepted a request that was six minutes old");
    for forged in ["somebody else signed", "is six minutes old", "was altered on its way"] {
        let (accepts, refuses) =
            (format!("<b>It accepts a request that {forged}</b>"), format!("refuses a request that {forged}"));
        page.shows(&accepts).hides(&refuses);
    }
    page.shows("<b>It accepts the good request</b>");
    page.shows("value=\"sync_run.completed failed\" selected");
    page.shows("x-powered-by: &#60;b&#62;").shows("&#60;script&#62;alert(1)").hides("<script>alert");
    // The page shows the bytes that were sent and the text that was signed.
    let sent = world.sender.requests();
    let body = sent[0].body.replace('&', "&#38;").replace('"', "&#34;").replace('<', "&#60;").replace('>', "&#62;");
    page.shows(&format!("\n\n{body}</pre>")).shows(&format!(".{body}</pre>"));
    let page =
        world.post(&cookie, "/configure/test", &[("destination", "dst_0000000000000000"), ("sample", "x y")]).await;
    assert_eq!(page.status, 404);
}

#[tokio::test]
async fn forged_requests_that_were_not_sent_are_no_failures_of_the_receiver() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let id = world.destination("acme", "ERP").await;
    world.sender.script("https://example.com/hooks", [Step::Answer(404)]);
    let fields = [("destination", id.as_str()), ("sample", "sync_run.completed failed"), ("prove", "1")];
    let page = world.post(&cookie, "/configure/test", &fields).await;
    page.shows("It must accept the good request first").shows("not run: the good request was not accepted");
    page.shows("<b>It does not accept the good request</b>")
        .shows("<b>Not tried: a request that is six minutes old</b>");
    page.hides("It refuses").hides("It accepts");
    assert_eq!(page.text.matches("<li class=\"open\">").count(), 3);
    assert_eq!(page.text.matches("<li class=\"fail\">").count(), 1);
    let wrong = [("destination", id.as_str()), ("sample", "sync_run.completed failed"), ("path", "../admin")];
    let page = world.post(&cookie, "/configure/test", &wrong).await;
    assert_eq!(page.status, 422);
    page.shows("id=\"path-error\"").shows("value=\"../admin\"").hides("id=\"made-title\"");
}

#[tokio::test]
async fn what_belongs_to_another_account_is_not_there() {
    let world = world().await;
    let id = world.destination("acme", "ERP").await;
    let cookie = world.visitor("rival", Role::Admin).await;
    let page = world.get(&cookie, &format!("/configure/test?destination={id}")).await;
    assert_eq!(page.status, 404);
    page.hides("ERP");
    world.get(&cookie, "/configure?step=where&scope=*&type=sync_run.completed").await.hides("ERP");
}

/// The cursor in the button for more destinations.
fn more(page: &Page) -> String {
    let (_, rest) = page.text.split_once("name=\"cursor\" value=\"").expect("a button for more");
    rest.split_once('"').expect("an end").0.to_owned()
}

#[tokio::test]
async fn of_many_destinations_some_are_offered_and_the_others_are_found() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(world.destination("acme", &format!("Receiver {n:02}")).await);
    }
    // Browsers send the form's own step, what was typed, and the button.
    let sent = "/configure?scope=*&type=*&when=all&step=where&url=https%3A%2F%2Fnew.example";
    let first = world.get(&cookie, sent).await;
    first.shows("Find a destination by its name").shows("value=\"https://new.example\"");
    assert_eq!(first.text.matches("<b><bdi>Receiver").count(), 10);
    let second = world.get(&cookie, &format!("{sent}&to=new&cursor={}", more(&first))).await;
    assert_eq!((second.status, second.text.matches("<b><bdi>Receiver").count()), (200, 2));
    second.hides("More destinations").shows("Where to?").shows("value=\"https://new.example\"");
    let found = world.get(&cookie, &format!("{sent}&to={}&find_destination=ER+11", ids[3])).await;
    found
        .shows("<b><bdi>Receiver 11")
        .shows("<b><bdi>Receiver 03")
        .hides("<b><bdi>Receiver 04")
        .hides("More destinations");
    // A cursor of the whole list is not valid for the search.
    let other = world.get(&cookie, &format!("{sent}&find_destination=11&cursor={}", more(&first))).await;
    other.shows("<b><bdi>Receiver 11").hides("<b><bdi>Receiver 04");
    world
        .get(&cookie, &format!("{sent}&find_destination=x"))
        .await
        .shows("No destination has “<bdi>x</bdi>” in its name.");
    // The chosen destination stays visible, although the search does not find it.
    let none = world.get(&cookie, &format!("{sent}&to={}&find_destination=x", ids[3])).await;
    none.shows("No destination has “<bdi>x</bdi>” in its name.").shows("<b><bdi>Receiver 03");
}

#[tokio::test]
async fn enter_finds_what_was_typed_to_find_and_goes_on_otherwise() {
    let world = world().await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let id = world.destination("acme", "ERP").await;
    let at = |found: &str| format!("/configure?scope=*&type=*&found={found}&find=inv&enter=when");
    world.get(&cookie, &at("")).await.shows("Where does it happen?");
    world.get(&cookie, &at("inv")).await.shows("Which of these events?");
    let fields = |found| {
        let fields =
            [("step", "where"), ("found", found), ("enter", "where"), ("find_destination", "erp"), ("to", &*id)];
        chosen(&[]).into_iter().chain(fields).collect::<Vec<_>>()
    };
    let page = created(&world, &cookie, &fields("")).await;
    assert_eq!(page.status, 200);
    page.shows("Where to?").shows(&format!("value=\"{id}\" checked"));
    assert!(subscriptions(&world).await.is_empty(), "nothing was created");
    assert_eq!(world.post(&cookie, "/configure", &fields("erp")).await.status, 303);
}
