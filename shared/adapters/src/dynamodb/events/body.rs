//! The body of an event as a row has it: as text in `body`, or compact in `body_z`.
//!
//! A compact body begins with a byte that says how it was made. 1 is a frame of Zstandard (RFC 8878) whose dictionary is
//! `bodies_1.txt`: a body of each kind from the catalogue. A body of one kilobyte has few bytes that are not in there.
//! With another dictionary nothing could be read any more, so that file never changes: a better one is `bodies_2.txt`
//! and gets the number 2, and both are read.
//!
//! Invariant: a body is read back byte for byte, or not at all (tests: `any_body_is_read_back_byte_for_byte`,
//! `a_damaged_body_is_refused`, `the_dictionary_is_what_it_was`).
//!
//! Invariant: a stored body takes no more memory than an event may have, whatever it claims (tests:
//! `a_body_that_claims_more_than_an_event_may_have_is_refused`, `bytes_that_nobody_wrote_are_refused`).

use std::cell::RefCell;
use std::sync::LazyLock;

use domain::event::envelope::content_digest;
use serde_bytes::ByteBuf;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::get_frame_content_size;

/// How the event's rows are written. Both are always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As version 0.2.0 writes and reads them.
    Plain,
    /// With compact bodies, and without what the keys say as well.
    Compact,
}

/// The body of an event, as one of two attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoredBody {
    Text(String),
    Compact(ByteBuf),
}

/// Why a compact body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyFault {
    #[error("a compact body is of an unknown kind")]
    UnknownKind,
    #[error("a compact body does not say its length, or is too long")]
    Length,
    #[error("a compact body cannot be decompressed")]
    Frame(#[source] std::io::Error),
    #[error("a compact body is not the one that was sealed")]
    Digest,
}

/// How long a body may be that is stored compact; an event is not longer. A body that is, by the few bytes of its
/// envelope, is stored as text.
const MOST_BYTES: usize = 256 * 1024;
/// The kind of a compact body: Zstandard with the first dictionary.
const KIND: u8 = 1;
const DICTIONARY: &[u8] = include_bytes!("bodies_1.txt");
/// Level 5 makes 26 bytes less of a kilobyte than level 3, in 9 µs and not 5; higher levels make hardly less.
const LEVEL: i32 = 5;

static FOR_WRITING: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static FOR_READING: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    /// It is kept, because making one takes as long as compressing a kilobyte.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

impl StoredBody {
    /// The body in this form, but as text if it would not be shorter otherwise.
    pub(super) fn of(body: &str, form: Form) -> Self {
        let compact = if form == Form::Compact && body.len() <= MOST_BYTES { compressed(body) } else { None };
        let shorter = compact.filter(|compact| compact.len() < body.len());
        shorter.map_or_else(|| Self::Text(body.to_owned()), |compact| Self::Compact(ByteBuf::from(compact)))
    }

    /// From the attributes `body` and `body_z` of a row.
    pub(super) fn from_attributes(body: Option<String>, body_z: Option<ByteBuf>) -> Option<Self> {
        body.map(Self::Text).or_else(|| body_z.map(Self::Compact))
    }

    /// The attributes `body` and `body_z`.
    pub(super) fn into_attributes(self) -> (Option<String>, Option<ByteBuf>) {
        match self {
            Self::Text(text) => (Some(text), None),
            Self::Compact(bytes) => (None, Some(bytes)),
        }
    }

    /// Its length in the row.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Compact(bytes) => bytes.len(),
        }
    }

    /// The body. `digest` is that of the sealed event.
    pub(super) fn into_text(self, digest: &[u8]) -> Result<String, BodyFault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Compact(bytes) => {
                let text = String::from_utf8(decompressed(&bytes)?).map_err(|_| BodyFault::Digest)?;
                if content_digest(&text) == digest { Ok(text) } else { Err(BodyFault::Digest) }
            }
        }
    }
}

/// None if the library cannot do it, which nothing but a lack of memory explains.
fn compressed(body: &str) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::with_prepared_dictionary(&FOR_WRITING).ok()?),
        };
        let frame = compressor.compress(body.as_bytes()).ok()?;
        Some([&[KIND], frame.as_slice()].concat())
    })
}

fn decompressed(bytes: &[u8]) -> Result<Vec<u8>, BodyFault> {
    let Some((&KIND, frame)) = bytes.split_first() else { return Err(BodyFault::UnknownKind) };
    let length = get_frame_content_size(frame).ok().flatten().and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= MOST_BYTES).ok_or(BodyFault::Length)?;
    let decompressor = Decompressor::with_prepared_dictionary(&FOR_READING);
    decompressor.and_then(|mut decompressor| decompressor.decompress(frame, length)).map_err(BodyFault::Frame)
}

#[cfg(test)]
mod tests;
