//! Combines what a `$or` separates: an object that is tested both beside a `$or` and in its alternatives becomes one
//! test in each alternative, so that one element of a list has to satisfy both. Apart from that, the pattern stays as
//! it was written: the work of matching grows with its length, not with the number of combinations.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::MAX_FIELD_TESTS;
use super::error::{PatternError, refused};
use super::matches::{Alternatives, Field, FieldTest, ObjectTest};

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
        let (shared, own) = test.fields.into_iter().partition(|field: &Field| inside.contains(&*field.at.name));
        let shared: Vec<Field> = shared;
        test.fields = own;
        let branch = |branch| object(shared.iter().cloned().try_fold(branch, with_field)?);
        alternatives.branches = alternatives.branches.into_iter().map(branch).collect::<Result<_, _>>()?;
        alternatives.branches.shrink_to_fit();
        test.alternatives = Some(alternatives);
    }
    for field in &mut test.fields {
        if let FieldTest::Object(test) = &mut field.test
            && has_alternatives(test)
        {
            *test = Arc::new(object(ObjectTest::clone(test))?);
        }
    }
    test.fields.shrink_to_fit();
    Ok(test)
}

/// Whether there is anything to combine.
fn has_alternatives(test: &ObjectTest) -> bool {
    let below = |field: &Field| matches!(&field.test, FieldTest::Object(test) if has_alternatives(test));
    test.alternatives.is_some() || test.fields.iter().any(below)
}

/// The names of all fields tested at the level of `test` itself.
fn names(test: &ObjectTest) -> Vec<&str> {
    let own = test.fields.iter().map(|field| &*field.at.name);
    own.chain(test.alternatives.iter().flat_map(|a| a.branches.iter().flat_map(names))).collect()
}

fn with_field(mut test: ObjectTest, added: Field) -> Result<ObjectTest, PatternError> {
    match test.fields.iter().position(|field| field.at.name == added.at.name) {
        None => test.fields.push(added),
        Some(index) => {
            let existing = test.fields.swap_remove(index);
            test.fields.push(both(existing, added)?);
        }
    }
    Ok(test)
}

/// Combines two tests of the same field into one.
fn both(inner: Field, outer: Field) -> Result<Field, PatternError> {
    match (inner.test, outer.test) {
        (FieldTest::Object(inside), FieldTest::Object(outside)) => {
            let both = both_objects(Arc::unwrap_or_clone(inside), Arc::unwrap_or_clone(outside))?;
            Ok(Field { at: inner.at, test: FieldTest::Object(Arc::new(both)) })
        }
        _ => Err(refused(
            &inner.at.pointer(),
            format!(
                "the same field is tested at {} too, beside the `$or`: test it in one of the two places",
                outer.at.pointer()
            ),
        )),
    }
}

fn both_objects(mut inner: ObjectTest, outer: ObjectTest) -> Result<ObjectTest, PatternError> {
    inner.alternatives = match (inner.alternatives, outer.alternatives) {
        (Some(inner), Some(outer)) => Some(Box::new(every_pair(*inner, &outer)?)),
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
    Ok(Alternatives { at: inner.at, branches })
}

fn count(test: &ObjectTest) -> usize {
    let field = |field: &Field| match &field.test {
        FieldTest::Values(_) => 1,
        FieldTest::Object(test) => count(test),
    };
    test.fields.iter().map(field).sum::<usize>()
        + test.alternatives.iter().flat_map(|a| a.branches.iter().map(count)).sum::<usize>()
}
