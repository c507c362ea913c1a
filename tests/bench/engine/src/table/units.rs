//! What DynamoDB counts: the size of an item, and the units of reads and writes, after its developer guide ("Item sizes and
//! formats", "Read and write operations").

use serde_json::{Map, Value};

pub(crate) type Item = Map<String, Value>;

const READ_BLOCK: usize = 4_096;
const WRITE_BLOCK: usize = 1_024;
/// What a list or map has beside its elements, and each element beside its value.
const NESTED: usize = 3;

/// Names and values, in bytes.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let text = |value: &Value| value.as_str().map_or(0, str::len);
    let each = |one: &dyn Fn(&Value) -> usize| value.as_array().into_iter().flatten().map(one).sum::<usize>();
    match kind.as_str() {
        "S" => text(value),
        "N" => number_size(value.as_str().unwrap_or_default()),
        "B" => binary_size(value.as_str().unwrap_or_default()),
        "SS" => each(&text),
        "NS" => each(&|number| number_size(number.as_str().unwrap_or_default())),
        "BS" => each(&|binary| binary_size(binary.as_str().unwrap_or_default())),
        "L" => NESTED + each(&|element| 1 + value_size(element)),
        "M" => {
            let fields = value.as_object().into_iter().flatten();
            NESTED + fields.map(|(name, value)| 1 + name.len() + value_size(value)).sum::<usize>()
        }
        // Whether it is true, or that it is null.
        _ => 1,
    }
}

/// About a byte for two digits, and one more.
fn number_size(number: &str) -> usize {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits.div_ceil(2) + 1 + usize::from(number.starts_with('-'))
}

/// What is behind the text in base 64.
fn binary_size(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

/// For reading this many bytes. Nothing costs as much as a little.
pub(crate) fn read_units(bytes: usize, consistent: bool) -> f64 {
    let blocks = bytes.div_ceil(READ_BLOCK).max(1) as f64;
    if consistent { blocks } else { blocks / 2.0 }
}

/// For writing an item of this many bytes, the larger of before and after.
pub(crate) fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(WRITE_BLOCK).max(1) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(item: &Value, bytes: usize) {
        assert_eq!(size(item.as_object().expect("an item")), bytes, "{item}");
    }

    #[test]
    fn an_item_has_the_bytes_of_its_names_and_values() {
        check(&json!({"pk": {"S": "a\u{e9}"}}), 2 + 3);
        check(&json!({"n": {"N": "-1234"}}), 1 + 2 + 1 + 1);
        check(&json!({"b": {"B": "AAECAw=="}, "t": {"BOOL": true}, "z": {"NULL": true}}), 1 + 4 + 2 + 2);
        check(&json!({"m": {"M": {"ab": {"S": "c"}}}}), 1 + 3 + 1 + 2 + 1);
        check(&json!({"l": {"L": [{"S": "c"}, {"S": "d"}]}, "s": {"SS": ["ab", "c"]}}), 1 + 3 + 2 * 2 + 1 + 3);
    }

    #[test]
    fn units_are_whole_blocks_and_at_least_one() {
        assert_eq!([0, 1, 4_096, 4_097].map(|bytes| read_units(bytes, true)), [1.0, 1.0, 1.0, 2.0]);
        assert_eq!(read_units(4_097, false), 1.0);
        assert_eq!([0, 1_024, 1_025, 2_049].map(write_units), [1.0, 1.0, 2.0, 3.0]);
    }
}
