//! Which texts are ids, and what can be read from derived ids.

use super::*;

#[track_caller]
fn check_event_id(text: &str, expected: Result<(), &str>) {
    let got = text.parse::<EventId>().map(|_| ()).map_err(|e| e.to_string());
    assert_eq!(got, expected.map_err(str::to_owned), "{text:?}");
}

#[test]
fn an_event_id_is_1_to_128_safe_characters() {
    check_event_id("evt-1_A", Ok(()));
    check_event_id(&"x".repeat(128), Ok(()));
    check_event_id("", Err("must have 1 to 128 characters, has 0"));
    check_event_id(&"x".repeat(129), Err("must have 1 to 128 characters, has 129"));
    let dot = "character '.' is not allowed; use only A-Z, a-z, 0-9, `_` and `-`";
    check_event_id("run.7", Err(dot));
    check_event_id("é", Err("character 'é' is not allowed; use only A-Z, a-z, 0-9, `_` and `-`"));
}

#[test]
fn an_account_id_has_at_most_64_characters() {
    assert!("a".repeat(64).parse::<AccountId>().is_ok());
    assert!("a".repeat(65).parse::<AccountId>().is_err());
}

#[test]
fn a_prefixed_id_is_refused_in_every_other_form() {
    let id = DestinationId::from_entropy([7; 10]);
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    for wrong in
        ["", "dst_", "sub_0000000000000000", "dst_000000000000000", "dst_000000000000000z", "dst_é00000000000000"]
    {
        assert!(wrong.parse::<DestinationId>().is_err(), "{wrong}");
    }
    assert_eq!(
        "x".parse::<DestinationId>().map_err(|e| e.to_string()),
        Err("must be `dst_` followed by 16 characters of 0-9 and a-v".to_owned())
    );
}

#[test]
fn a_delivery_id_tells_its_destination_and_sorts_by_time() {
    let destination = DestinationId::from_entropy([9; 10]);
    let early = DeliveryId::from_parts(&destination, 1_000, &[255; 15]);
    let late = DeliveryId::from_parts(&destination, 1_001, &[0; 15]);
    assert_eq!(early.destination(), destination);
    assert!(early < late);
    assert_eq!(early.as_str().parse(), Ok(early.clone()));
    assert_eq!((early.occurred_at().unix_ms(), late.occurred_at().unix_ms()), (1_000, 1_001));
    let last = Timestamp::from_unix_ms(u64::MAX);
    assert_eq!(DeliveryId::from_parts(&destination, last.unix_ms(), &[7; 15]).occurred_at(), last);
}

#[test]
fn the_first_possible_id_of_a_time_parts_the_earlier_ones_from_the_others() {
    let destination = DestinationId::from_entropy([9; 10]);
    let first = DeliveryId::first_possible(&destination, Timestamp::from_unix_ms(1_001));
    assert!(DeliveryId::from_parts(&destination, 1_000, &[255; 15]).as_str() < first.as_str());
    assert!(DeliveryId::from_parts(&destination, 1_001, &[0; 15]).as_str() > first.as_str());
}

#[test]
fn deliveries_of_several_destinations_sort_by_time() {
    let (a, b) = (DestinationId::from_entropy([1; 10]), DestinationId::from_entropy([2; 10]));
    let mut ids = [(&b, 1, 9), (&a, 2, 9), (&b, 2, 0), (&a, 1, 0), (&a, 1, 1)]
        .map(|(destination, ms, digest)| DeliveryId::from_parts(destination, ms, &[digest; 15]));
    ids.sort_by(|one, other| one.by_time().cmp(&other.by_time()));
    let told = ids.map(|id| (id.destination() == a, id.occurred_at().unix_ms()));
    assert_eq!(told, [(true, 1), (true, 1), (false, 1), (true, 2), (false, 2)]);
}

#[test]
fn what_is_made_later_sorts_later_whatever_is_random_in_it() {
    let at = |ms: u64, random: u8| SubscriptionId::made_at(Timestamp::from_unix_ms(ms), [random; 4]);
    let ids =
        [at(0, 0), at(0, 1), at(1, 0), at(31, 255), at(32, 0), at(1_795_426_200_000, 255), at(1_795_426_200_001, 0)];
    assert!(ids.is_sorted() && ids.windows(2).all(|two| two[0] != two[1]), "{ids:?}");
}
