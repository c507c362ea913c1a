//! Bodies are read back, and what is none is refused.

use std::io::Write as _;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn compact(body: &str) -> Vec<u8> {
    match StoredBody::of(body, Form::Compact) {
        StoredBody::Compact(bytes) => bytes.into_vec(),
        StoredBody::Text(text) => panic!("{} bytes are stored as text", text.len()),
    }
}

fn read(bytes: &[u8], body: &str) -> Result<String, BodyFault> {
    StoredBody::Compact(ByteBuf::from(bytes)).into_text(&content_digest(body))
}

const BODY: &str = r#"{"id":"evt-7","type":"sync_run.completed","data":{"run_id":"run-7"}}"#;

#[test]
fn the_dictionary_is_what_it_was() {
    let dictionary = std::str::from_utf8(DICTIONARY).expect("a text");
    let digest = HEXLOWER.encode(&content_digest(dictionary));
    assert_eq!(digest, "961c8c8ade1550cb6aa3c102a9513acc0b2de73f94fb23c18eb1d053730149e4");
    // As the first version that wrote such bodies stored it.
    let stored = HEXLOWER.decode(b"0128b52ffd20448d000030372d37227d7d0300eb8b06d08e8c2182").expect("hexadecimal");
    assert_eq!(read(&stored, BODY).expect("a body"), BODY);
}

#[test]
fn a_body_that_would_not_be_shorter_and_one_in_the_plain_form_are_text() {
    let noise: String = (0..4_u32).map(|n| char::from_u32(0x4e00 + n * 977).expect("a character")).collect();
    for (body, form) in [("", Form::Compact), ("{}", Form::Compact), (&noise, Form::Compact), (BODY, Form::Plain)] {
        assert_eq!(StoredBody::of(body, form), StoredBody::Text(body.to_owned()));
    }
    let longest = "x".repeat(MOST_BYTES);
    assert_eq!(read(&compact(&longest), &longest).expect("a body").len(), MOST_BYTES);
    assert!(matches!(StoredBody::of(&"x".repeat(MOST_BYTES + 1), Form::Compact), StoredBody::Text(_)));
}

#[test]
fn a_damaged_body_is_refused() {
    let (stored, mut unharmed) = (compact(BODY), 0);
    for at in 0..stored.len() {
        for bit in 0..8 {
            let mut damaged = stored.clone();
            damaged[at] ^= 1 << bit;
            match read(&damaged, BODY) {
                Ok(body) => assert!(body == BODY, "byte {at}, bit {bit}: {body}"),
                Err(_) => unharmed += 1,
            }
        }
        assert!(read(&stored[..at], BODY).is_err(), "{at} bytes of {}", stored.len());
    }
    assert!(unharmed > stored.len() * 7, "{unharmed} of {} damages were seen", stored.len() * 8);
    assert!(matches!(read(&compact(&BODY.replace('7', "8")), BODY), Err(BodyFault::Digest)));
    assert!(matches!(read(&[&[2], &stored[1..]].concat(), BODY), Err(BodyFault::UnknownKind)));
    assert!(matches!(read(&[], BODY), Err(BodyFault::UnknownKind)));
}

/// A frame without the kind, made in another way than bodies are.
fn frame(body: &[u8], with_length: bool) -> Vec<u8> {
    let mut encoder = zstd::Encoder::with_dictionary(Vec::new(), LEVEL, DICTIONARY).expect("an encoder");
    encoder.include_contentsize(with_length).expect("an option");
    encoder.set_pledged_src_size(with_length.then_some(body.len() as u64)).expect("a length");
    encoder.write_all(body).expect("a frame");
    encoder.finish().expect("a frame")
}

#[test]
fn a_body_that_claims_more_than_an_event_may_have_is_refused() {
    let bomb = "x".repeat(4 * 1024 * 1024);
    let stored = [&[KIND], frame(bomb.as_bytes(), true).as_slice()].concat();
    assert!(stored.len() < 2_000, "{}", stored.len());
    assert!(matches!(read(&stored, &bomb), Err(BodyFault::Length)));
    let silent = [&[KIND], frame(BODY.as_bytes(), false).as_slice()].concat();
    assert!(matches!(read(&silent, BODY), Err(BodyFault::Length)));
    let known = [&[KIND], frame(BODY.as_bytes(), true).as_slice()].concat();
    assert_eq!(read(&known, BODY).expect("a body"), BODY);
    // One that says that it is short, and is not.
    let (long, short) = (frame(&[b'x'; 200], true), frame(&[b'x'; 190], true));
    let lying: Vec<u8> =
        long.iter().zip(&short).map(|(long, short)| if *long == 200 { *short } else { *long }).collect();
    assert_ne!(lying, long);
    assert!(matches!(read(&[&[KIND], lying.as_slice()].concat(), &"x".repeat(190)), Err(BodyFault::Frame(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn any_body_is_read_back_byte_for_byte(
        part in "\\PC{0,400}",
        between in "[a-z\"{}:,0-9\\\\\n]{0,60}",
        times in 0_usize..100,
    ) {
        let mut body = format!("{part}{between}").repeat(times);
        while body.len() > MOST_BYTES {
            body.pop();
        }
        let stored = StoredBody::of(&body, Form::Compact);
        prop_assert!(stored.len() <= body.len());
        let (text, bytes) = stored.into_attributes();
        let stored = StoredBody::from_attributes(text, bytes).expect("a body");
        prop_assert!(stored.into_text(&content_digest(&body)).expect("a body") == body);
    }

    #[test]
    fn bytes_that_nobody_wrote_are_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        like in 0_u8..3,
    ) {
        let (body, mut bytes) = (BODY.repeat(20), bytes);
        if like > 0 {
            // What begins like a body, and one with some of these bytes inside.
            let stored = compact(&body);
            let at = at.index(stored.len());
            bytes.truncate(if like == 1 { 300 } else { 4 });
            let end = if like == 1 { stored.len() } else { (at + bytes.len()).min(stored.len()) };
            bytes = [&stored[..at], &bytes, &stored[end..]].concat();
        }
        if let Ok(read) = decompressed(&bytes) {
            prop_assert!(read.len() <= MOST_BYTES);
        }
        if let Ok(read) = read(&bytes, &body) {
            prop_assert!(read == body);
        }
    }
}
