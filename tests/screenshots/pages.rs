//! All pages, and how to get to each. Add new pages here: only these are in the pictures.

use tests::browser::Name;

use crate::story::Story;

/// Something to do on a page before its picture is taken.
pub enum Act {
    Click(&'static str, Name),
    Choose(Name),
    Fill(&'static str, String),
    /// Waits for these words.
    See(&'static str),
}

pub struct Page {
    /// The page's name in file names.
    pub name: &'static str,
    pub path: String,
    pub acts: Vec<Act>,
    /// The status of the answer, if it is not a success.
    pub status: Option<u16>,
}

fn page(name: &'static str, path: impl Into<String>) -> Page {
    Page { name, path: path.into(), acts: Vec::new(), status: None }
}

impl Page {
    fn answered(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn click(mut self, role: &'static str, name: impl Into<Name>) -> Self {
        self.acts.push(Act::Click(role, name.into()));
        self
    }

    fn choose(mut self, words: &str) -> Self {
        self.acts.push(Act::Choose(Name::with(words)));
        self
    }

    fn fill(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.acts.push(Act::Fill(label, text.into()));
        self
    }

    fn see(mut self, words: &'static str) -> Self {
        self.acts.push(Act::See(words));
        self
    }
}

/// The pages without a session.
pub fn outside() -> Vec<Page> {
    vec![
        page("open", "/open"),
        page("open-no-link", "/open").answered(422).fill("Your link", "whl_nothing").click("button", "Open"),
        page("session-ended", "/deliveries").answered(401),
    ]
}

/// The pages of an account that has nothing yet.
pub fn empty() -> Vec<Page> {
    vec![
        page("empty-destinations", "/destinations"),
        page("empty-subscriptions", "/subscriptions"),
        page("empty-deliveries", "/deliveries"),
        page("empty-events", "/events"),
        page("empty-ledger", "/ledger"),
        page("open-other-account", "/open")
            .answered(409)
            .fill("Your link", format!("whl_globex-trading.6h2k9q1n7c0dmv3b.{}", "A".repeat(43)))
            .click("button", "Open")
            .see("this link is for"),
        page("page-of-another-account", "/configure?account=globex-trading").answered(409),
        page("no-such-page", "/nowhere").answered(404),
        page("signed-out", "/configure").click("button", "Sign out").see("You are signed out"),
    ]
}

/// The pages of an account that is in use.
pub fn filled(story: &Story) -> Vec<Page> {
    [wizard(story), destinations(story), subscriptions(story), log(story)].into_iter().flatten().collect()
}

const CHOSEN: &str = "scope=connection%2Fxero%2Fendpoint%2Finvoices&type=sync_run.completed";

fn wizard(story: &Story) -> Vec<Page> {
    let step = |step: &str| format!("/configure?{CHOSEN}&step={step}");
    let create = |name: &'static str, destination: &str, url: &str| {
        let page = page(name, step("where")).fill("URL", url).fill("Name", destination);
        page.click("button", "Create").see("The signing secret of")
    };
    let prove =
        |page: Page, words| page.click("link", "I have saved it: test").click("button", "Prove my receiver").see(words);
    vec![
        page("wizard-1-what", "/configure?scope=connection%2Fxero%2Fendpoint%2Finvoices"),
        page("wizard-2-when", step("when")).choose("Only failures").see("Not sent"),
        page("wizard-2-changes", step("when")).choose("Only when it broke or").see("if the previous one failed"),
        page("wizard-2-pattern", step("when"))
            .choose("My own pattern")
            .fill("Pattern", r#"{"records": {"inserted": [{"numeric": [">", 30]}]}}"#)
            .see("Not sent"),
        page("wizard-2-no-pattern", step("when"))
            .answered(422)
            .choose("My own pattern")
            .fill("Pattern", r#"{"records": {"inserted": [{"#)
            .see("this is not JSON"),
        page("wizard-3-where", step("where")),
        page("wizard-3-found", format!("{}&find_destination=a", step("where"))),
        page("wizard-3-refused", step("where"))
            .answered(422)
            .fill("URL", "https://10.0.0.1/hooks")
            .fill("Name", "Month-end close")
            .click("button", "Create")
            .see("never called"),
        create("wizard-4-secret", "Month-end close", &story.trusting),
        prove(create("wizard-5-not-proven", "Invoice archive", &story.trusting), "not proven"),
    ]
}

fn destinations(story: &Story) -> Vec<Page> {
    let of = |id: &str, rest: &str| format!("/destinations/{id}{rest}");
    let (healthy, failing, paused) = (&story.healthy, &story.failing, &story.paused);
    vec![
        page("destinations", "/destinations"),
        page("destinations-found", "/destinations?name_contains=re"),
        page("destinations-none-found", "/destinations?name_contains=nobody"),
        page("destination-healthy", of(healthy, "")),
        page("destination-failing", of(failing, "")),
        page("destination-paused", of(paused, "")),
        page("destination-disabled", of(&story.disabled, "")),
        page("destination-edit", of(healthy, "/edit")),
        page("destination-rotate", of(healthy, "/rotate")),
        page("destination-recover", of(failing, "/recover")),
        page("destination-delete", of(paused, "/delete")),
        page("destination-test", format!("/configure/test?destination={healthy}")),
        page("destination-proven", format!("/configure/test?destination={healthy}"))
            .click("button", "Prove my receiver")
            .see("Your receiver is proven"),
        page("destination-test-failed", format!("/configure/test?destination={failing}"))
            .click("button", "Send test")
            .see("Result"),
    ]
}

fn subscriptions(story: &Story) -> Vec<Page> {
    let of = |rest: &str| format!("/subscriptions/{}{rest}", story.subscription);
    vec![
        page("subscriptions", "/subscriptions"),
        page("subscription", of("")),
        page("subscription-edit", of("/edit")),
        page("subscription-delete", of("/delete")),
    ]
}

/// Deliveries, events, and the ledger.
fn log(story: &Story) -> Vec<Page> {
    let mut pages = vec![
        page("deliveries", "/deliveries"),
        page("deliveries-parked", "/deliveries?status=parked"),
        page("events", "/events"),
        page("event", format!("/events/{}", story.event)),
        page("event-unmatched", format!("/events/{}", story.unmatched)),
        page("ledger", "/ledger"),
        page("sessions", "/sessions"),
        page("ledger-delivered", "/ledger").click("link", Name::with(" delivered")),
    ];
    let names = [
        ("delivered", "delivery-delivered"),
        ("retrying", "delivery-retrying"),
        ("parked", "delivery-parked"),
        ("exhausted", "delivery-exhausted"),
    ];
    for (status, name) in names {
        pages.extend(story.deliveries.get(status).map(|id| page(name, format!("/deliveries/{id}"))));
    }
    pages
}
