//! Combines what a `$or` separates: an object that is tested both beside a `$or` and in its alternatives becomes one
//! test in each alternative, so that one element of a list has to satisfy both. Apart from that, the pattern stays as
//! it was written: the work of matching grows with its length, not with the number of combinations.

use std::collections::BTreeSet;

use super::MAX_FIELD_TESTS;
use super::error::{PatternError, refused};
use super::matches::{Alternatives, FieldTest, ObjectTest};

pub(super) fn spread(test: ObjectTest) -> Result<ObjectTest, PatternError> {
    let test = object(test)?;
    match count(&test) {
        too_many if too_many > MAX_FIELD_TESTS => Err(refused(
            "",
            format!(
                "tests {too_many} fields once those beside `$or` are combined with its alternatives; at most \
                 {MAX_FIELD_TESTS}: use fewer alternatives"
            ),
        )),
        _ => Ok(test),
    }
}

fn object(mut test: ObjectTest) -> Result<ObjectTest, PatternError> {
    if let Some(mut alternatives) = test.alternatives.take() {
        let inside: BTreeSet<String> = alternatives.branches.iter().flat_map(names).map(str::to_owned).collect();
        let (shared, own) = test.fields.into_iter().partition(|(name, _)| inside.contains(name));
        let shared: Vec<(String, FieldTest)> = shared;
        test.fields = own;
        let branch = |branch| object(shared.iter().cloned().try_fold(branch, with_field)?);
        alternatives.branches = alternatives.branches.into_iter().map(branch).collect::<Result<_, _>>()?;
        test.alternatives = Some(alternatives);
    }
    let field = |(name, field)| match field {
        FieldTest::Object { pointer, test } => Ok((name, FieldTest::Object { pointer, test: object(test)? })),
        values => Ok((name, values)),
    };
    test.fields = test.fields.into_iter().map(field).collect::<Result<_, _>>()?;
    Ok(test)
}

/// The names of all fields tested at the level of `test` itself.
fn names(test: &ObjectTest) -> Vec<&str> {
    let own = test.fields.iter().map(|(name, _)| name.as_str());
    own.chain(test.alternatives.iter().flat_map(|a| a.branches.iter().flat_map(names))).collect()
}

fn with_field(mut test: ObjectTest, (name, added): (String, FieldTest)) -> Result<ObjectTest, PatternError> {
    match test.fields.iter().position(|(existing, _)| *existing == name) {
        None => test.fields.push((name, added)),
        Some(index) => {
            let (name, existing) = test.fields.swap_remove(index);
            test.fields.push((name, both(existing, added)?));
        }
    }
    Ok(test)
}

/// Combines two tests of the same field into one.
fn both(inner: FieldTest, outer: FieldTest) -> Result<FieldTest, PatternError> {
    match (inner, outer) {
        (FieldTest::Object { pointer, test: inner }, FieldTest::Object { test: outer, .. }) => {
            Ok(FieldTest::Object { pointer, test: both_objects(inner, outer)? })
        }
        (inner, outer) => Err(refused(
            inner.pointer(),
            format!(
                "the same field is tested at {} too, beside the `$or`: test it in one of the two places",
                outer.pointer()
            ),
        )),
    }
}

fn both_objects(mut inner: ObjectTest, outer: ObjectTest) -> Result<ObjectTest, PatternError> {
    inner.alternatives = match (inner.alternatives, outer.alternatives) {
        (Some(inner), Some(outer)) => Some(every_pair(inner, &outer)?),
        (inner, outer) => inner.or(outer),
    };
    outer.fields.into_iter().try_fold(inner, with_field)
}

fn every_pair(inner: Alternatives, outer: &Alternatives) -> Result<Alternatives, PatternError> {
    let mut branches = Vec::new();
    for a in &inner.branches {
        for b in &outer.branches {
            branches.push(both_objects(a.clone(), b.clone())?);
        }
    }
    Ok(Alternatives { pointer: inner.pointer, branches })
}

fn count(test: &ObjectTest) -> usize {
    let field = |(_, field): &(String, FieldTest)| match field {
        FieldTest::Values(_) => 1,
        FieldTest::Object { test, .. } => count(test),
    };
    test.fields.iter().map(field).sum::<usize>()
        + test.alternatives.iter().flat_map(|a| a.branches.iter().map(count)).sum::<usize>()
}

impl FieldTest {
    pub(super) fn pointer(&self) -> &str {
        match self {
            FieldTest::Values(test) => &test.pointer,
            FieldTest::Object { pointer, .. } => pointer,
        }
    }
}
