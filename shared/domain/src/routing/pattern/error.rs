//! Why a pattern is refused, and where in it.

/// Why a pattern is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}`: {detail}")]
pub struct PatternError {
    /// RFC 6901, relative to the pattern; empty for the whole pattern.
    pub pointer: String,
    pub detail: String,
}

pub(super) fn refused(pointer: &str, detail: impl Into<String>) -> PatternError {
    PatternError { pointer: pointer.to_owned(), detail: detail.into() }
}

/// The pointer to `name` in the value at `pointer`.
pub(super) fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_what_rfc_6901_says() {
        assert_eq!(child("/a", "b/c~d"), "/a/b~1c~0d");
    }
}
