//! The list of all requests, in the order in which a receiver gets them.

use domain::delivery::{Probe, Sample};
use domain::value::Timestamp;

use super::NOW;
use super::case::{Case, FILL, Proof, destination};
use super::sign::{other_secret, secret};

pub fn cases() -> Vec<Case> {
    [accepted(), proof(), bodies(), metadata(), timestamps(), signatures(), left_open()].concat()
}

fn accepted() -> Vec<Case> {
    let first = Case::delivery("valid", "A delivery as it is sent most often.");
    let id = first.headers.iter().find(|(name, _)| name == "webhook-id").map(|(_, id)| id.clone()).expect("an id");
    let again = "The delivery of the case `valid` again, ten seconds later: deliveries come at least once. Answer 2xx, \
                 so that it does not come a third time, and do nothing.";
    let mut repeated =
        Case::delivery("repeated", again).at(10).header("webhook-id", &id).header("webhook-attempt", "2");
    repeated.body.clone_from(&first.body);
    vec![
        first,
        repeated.not_processed(),
        Case::delivery(
            "rotation_ours_first",
            "While a secret is rotated there is a signature for each. One that is right is enough.",
        )
        .signature("v1,{ours} v1,{other}"),
        Case::delivery("rotation_ours_second", "The right signature need not be the first.")
            .signature("v1,{other} v1,{ours}"),
        Case::delivery("unknown_versions", "Skip signatures of versions that you do not know.")
            .signature("v1a,{other} v2,{half} v1,{ours}"),
        Case::delivery("header_names_in_capitals", "Names of headers have no case, and a proxy may change it.")
            .in_capitals(),
        Case::delivery("unknown_header_and_field", "Headers and fields may be added. Ignore those you do not know.")
            .header("webhook-something-new", "1")
            .with_body(|body| body.replace(r#""test":false,"#, r#""test":false,"something_new":{"a":1},"#)),
        Case::delivery("unknown_type", "Types may be added. Answer 2xx, so that it is not sent again, and ignore it.")
            .header("webhook-event-type", "something.new")
            .with_body(|body| body.replace("sync_run.completed", "something.new"))
            .not_processed(),
        Case::delivery("timestamp_290_seconds_old", "Within the tolerance: it waited on its way.").at(-290),
        Case::delivery("timestamp_290_seconds_ahead", "Within the tolerance: clocks differ.").at(290),
    ]
}

/// The requests of a test of a destination with `prove`, as the API makes them.
fn proof() -> Vec<Case> {
    let good =
        Case::test("test", "A test of the destination: `test` is true. Verify it and answer 2xx, but do nothing.");
    [good.proof(Proof::Good)].into_iter().chain(Probe::ALL.map(forged)).collect()
}

fn forged(probe: Probe) -> Case {
    let why = match probe {
        Probe::WrongSignature => "It is signed with another secret.",
        Probe::OldTimestamp => {
            "It is six minutes old, and signed correctly for that time: somebody has recorded it and sends it again."
        }
        Probe::AlteredBody => "A digit of the body was changed after it was signed.",
    };
    let case = Case::test(probe.as_str(), why).refused().proof(Proof::Forged(probe));
    match probe {
        Probe::WrongSignature => case.signature("v1,{other}"),
        Probe::OldTimestamp => case.at(-360),
        Probe::AlteredBody => {
            let delivery = case.delivery.clone();
            case.altered(|body| {
                let sample = Sample { destination: &destination(), secrets: &[secret()], body };
                sample.forged(probe, &delivery, other_secret(), Timestamp::from_unix_ms(NOW * 1000)).request.body
            })
        }
    }
}

fn bodies() -> Vec<Case> {
    let data = |name: &str| {
        format!(
            r#"{{"run_id":"run-41907","connection":{{"id":"xero","name":{name},"service":"xero"}},"endpoint":{{"id":"invoices","name":"Invoices","table":"xero_invoices"}},"status":"failed","trigger":"manual","started_at":"2026-11-23T09:30:00Z","completed_at":"2026-11-23T09:30:42Z","duration_ms":42000,"records":{{"read":0,"inserted":0,"updated":0,"deleted":0}},"error":{{"code":"rate_limited","message":"Too many requests","retryable":true}},"next_run_at":null}}"#
        )
    };
    let plain = data(r#""Zoë""#);
    let spaced = plain.replace(r#"","#, "\" ,\n ");
    let of_data = |name, why, data: &str| Case::of_data(name, why, data);
    vec![
        of_data(
            "body_beyond_ascii",
            "The body is UTF-8 and is signed as it is: accents, an emoji, and U+2028, which some escape.",
            &data("\"Zoë 🧾 \u{2028} 東京\""),
        ),
        of_data(
            "body_escaped",
            "A producer may write characters as escapes. Verify the bytes as they arrived.",
            &data(r#""Zo\u00eb \/ \ud83e\uddfe""#),
        ),
        of_data("body_with_white_space", "White space is a part of what is signed.", &spaced),
        of_data(
            "body_with_unusual_numbers",
            "Numbers that change when they are parsed and written again.",
            &plain.replace(r#""records""#, r#""rate":1.0,"much":1E2,"exact":12345678901234567890.10,"records""#),
        ),
        Case::of_data(
            "body_of_200_kib",
            "An event has up to 256 KiB; some frameworks accept only 100 KB unless that is changed.",
            &data(&format!("\"{FILL}\"")),
        )
        .filled(200 * 1024),
        of_data("body_parsed_and_written", "The white space of the body was removed on the way.", &spaced)
            .altered(|body| body.replace("\" ,\n ", r#"","#))
            .refused(),
        of_data(
            "body_with_other_order",
            "Two fields have changed places on the way: no data is lost, the bytes differ.",
            &plain,
        )
        .altered(|body| {
            body.replace(r#""status":"failed","trigger":"manual""#, r#""trigger":"manual","status":"failed""#)
        })
        .refused(),
        of_data("body_escaped_on_the_way", "A letter was replaced by its escape on the way.", &plain)
            .altered(|body| body.replace('ë', r"\u00eb"))
            .refused(),
        of_data("body_with_a_line_more", "A line end was appended on the way.", &plain)
            .altered(|body| format!("{body}\n"))
            .refused(),
        Case::delivery("body_cut_off", "The end is missing.").altered(|body| body[..100].to_owned()).refused(),
        Case::delivery("body_empty", "The whole body is missing.").altered(|_| String::new()).refused(),
        Case::delivery(
            "signed_body_only",
            "Signed without id and timestamp, so anybody could send it again under others.",
        )
        .signed_text("{body}")
        .refused(),
    ]
}

fn metadata() -> Vec<Case> {
    vec![
        Case::delivery("other_id", "The id was changed after signing, which makes a repetition look new.")
            .signed_text("dlv_signed.{timestamp}.{body}")
            .refused(),
        Case::delivery(
            "other_timestamp",
            "The timestamp was changed after signing, which makes an old request look new.",
        )
        .at(-3600)
        .timestamp("{now}")
        .signed_text("{id}.{at}.{body}")
        .refused(),
        Case::delivery("missing_id", "A header is missing. The rest is signed right, with nothing in its place.")
            .without("webhook-id")
            .refused(),
        Case::delivery(
            "missing_timestamp",
            "A header is missing. The rest is signed right, with nothing in its place.",
        )
        .without("webhook-timestamp")
        .refused(),
        Case::delivery("missing_signature", "It is not signed.").without("webhook-signature").refused(),
    ]
}

/// Each is signed right over what its header says, so that only the timestamp is wrong.
fn timestamps() -> Vec<Case> {
    let wrong = |name, why, template| Case::delivery(name, why).timestamp(template).refused();
    vec![
        Case::delivery("timestamp_310_seconds_old", "Beyond the tolerance.").at(-310).refused(),
        Case::delivery(
            "timestamp_310_seconds_ahead",
            "Beyond the tolerance. An hour ahead it could be sent again for an hour.",
        )
        .at(310)
        .refused(),
        wrong("timestamp_in_milliseconds", "Seconds are meant, so this is far in the future.", "{at}000"),
        wrong("timestamp_negative", "Long before 1970.", "-{at}"),
        wrong("timestamp_zero", "The beginning of 1970.", "0"),
        wrong("timestamp_of_words", "It is no number. Nothing may be compared with what is none.", "soon"),
        wrong(
            "timestamp_not_a_number",
            "Comparisons with NaN are false, also those that should find it too old.",
            "NaN",
        ),
        wrong("timestamp_as_date", "Seconds are meant, not a date.", "2026-11-23T09:31:00Z"),
        wrong(
            "timestamp_too_large",
            "It fits no integer. Reading it may not end in an error either.",
            "99999999999999999999999999",
        ),
        wrong("timestamp_empty", "It says no time.", ""),
    ]
}

/// Each is right but for the text of `webhook-signature`.
fn signatures() -> Vec<Case> {
    let wrong = |name, why, template| Case::delivery(name, why).signature(template).refused();
    vec![
        wrong("signature_empty", "There is none.", ""),
        wrong("signature_of_version_only", "There is a version and nothing after it.", "v1,"),
        wrong("signature_without_version", "A signature without `v1,` is of no known version.", "{ours}"),
        wrong("signature_of_other_version", "It is not of the version `v1`, whatever it looks like.", "v2,{ours}"),
        wrong("signature_in_capitals", "`V1` is no version that there is.", "V1,{ours}"),
        wrong(
            "signature_of_two_strangers",
            "There are two, and neither is made with the secret.",
            "v1,{other} v1,{half}",
        ),
        wrong("signature_in_hexadecimal", "It is written in base64, and these are other bytes.", "v1,{hex}"),
        wrong("signature_cut_off", "A part of a signature is none: it can be guessed in less time.", "v1,{half}"),
        wrong("signature_with_undecoded_key", "The key is what the secret decodes to, not its text.", "v1,{undecoded}"),
        wrong(
            "signature_of_nothing",
            "Base64 of nothing: compare whole signatures, never the part both have.",
            "v1,====",
        ),
    ]
}

fn left_open() -> Vec<Case> {
    let open = |name, why| Case::delivery(name, why).either();
    vec![
        open(
            "signature_in_base64url",
            "The right bytes in another alphabet. Good libraries refuse it. Decoders that read both alphabets let nobody \
             in who has not the secret.",
        )
        .signature("v1,{base64url}"),
        open(
            "signature_without_padding",
            "The right bytes without `=`. Good libraries refuse it. Decoders that do not need it let nobody in who has \
             not the secret.",
        )
        .signature("v1,{unpadded}"),
        open(
            "signature_with_more_padding",
            "The right bytes and a `=` too many. Most libraries refuse it, the one for Python accepts it.",
        )
        .signature("v1,{ours}="),
        open(
            "timestamp_with_fraction",
            "The timestamp has `.0`, the signed text has not. Libraries that read the number and sign that accept it \
             (Python, JavaScript, PHP), others refuse it (Rust, Go, Java, Ruby).",
        )
        .timestamp("{at}.0")
        .signed_text("{id}.{at}.{body}"),
        open(
            "id_empty",
            "An empty id that is signed right, which is never sent. Some libraries accept it (Rust, Java, PHP, Ruby), \
             others refuse it (Python, JavaScript, Go).",
        )
        .header("webhook-id", ""),
    ]
}
