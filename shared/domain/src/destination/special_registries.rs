//! Test: the blocks that are never called are those of IANA's registries, row by row and in both directions.
//!
//! The rows are facts of the IPv4 and IPv6 Special-Purpose Address Registries, as of 2026-07-18: the block, and the RFC
//! that says what it is for. To bring them up to date, see `special_networks`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::AddressPolicy;
use super::special_networks::{GLOBAL_UNICAST, V4, V6};

const ROWS_V4: [(&str, u16); 26] = [
    ("0.0.0.0/8", 791),
    ("0.0.0.0/32", 1122),
    ("10.0.0.0/8", 1918),
    ("100.64.0.0/10", 6598),
    ("127.0.0.0/8", 1122),
    ("169.254.0.0/16", 3927),
    ("172.16.0.0/12", 1918),
    ("192.0.0.0/24", 6890),
    ("192.0.0.0/29", 7335),
    ("192.0.0.8/32", 7600),
    ("192.0.0.9/32", 7723),
    ("192.0.0.10/32", 8155),
    ("192.0.0.170/32", 8880),
    ("192.0.0.171/32", 8880),
    ("192.0.2.0/24", 5737),
    ("192.31.196.0/24", 7535),
    ("192.52.193.0/24", 7450),
    ("192.88.99.0/24", 7526),
    ("192.88.99.2/32", 6751),
    ("192.168.0.0/16", 1918),
    ("192.175.48.0/24", 7534),
    ("198.18.0.0/15", 2544),
    ("198.51.100.0/24", 5737),
    ("203.0.113.0/24", 5737),
    ("240.0.0.0/4", 1112),
    ("255.255.255.255/32", 919),
];

/// In no special-purpose registry, but reserved as a whole in the IPv4 Address Space Registry.
const MULTICAST: (&str, u16) = ("224.0.0.0/4", 5771);

/// An address of this block is judged as the IPv4 address in it.
const MAPPED: &str = "::ffff:0:0/96";

const ROWS_V6: [(&str, u16); 25] = [
    ("::1/128", 4291),
    ("::/128", 4291),
    (MAPPED, 4291),
    ("64:ff9b::/96", 6052),
    ("64:ff9b:1::/48", 8215),
    ("100::/64", 6666),
    ("100:0:0:1::/64", 9780),
    ("2001::/23", 2928),
    ("2001::/32", 4380),
    ("2001:1::1/128", 7723),
    ("2001:1::2/128", 8155),
    ("2001:1::3/128", 9665),
    ("2001:2::/48", 5180),
    ("2001:3::/32", 7450),
    ("2001:4:112::/48", 7535),
    ("2001:10::/28", 4843),
    ("2001:20::/28", 7343),
    ("2001:30::/28", 9374),
    ("2001:db8::/32", 3849),
    ("2002::/16", 3056),
    ("2620:4f:8000::/48", 7534),
    ("3fff::/20", 9637),
    ("5f00::/16", 9602),
    ("fc00::/7", 4193),
    ("fe80::/10", 4291),
];

fn parsed(rows: &[(&str, u16)]) -> Vec<IpNet> {
    rows.iter().map(|(block, _)| block.parse().expect("a block")).collect()
}

#[test]
fn no_address_of_a_special_block_is_permitted() {
    let policy = AddressPolicy::default();
    for (block, rfc) in ROWS_V4.iter().chain([&MULTICAST]).chain(&ROWS_V6).filter(|(block, _)| *block != MAPPED) {
        let net: IpNet = block.parse().expect("a block");
        for address in [net.network(), net.broadcast()] {
            assert!(!policy.permits(address), "{address} is in {block} (RFC {rfc})");
        }
    }
    let mapped = |v4: &str| format!("::ffff:{v4}").parse::<IpAddr>().expect("an address");
    assert!(policy.permits(mapped("8.8.8.8")) && !policy.permits(mapped("10.0.0.1")));
}

#[test]
fn every_block_that_is_not_called_is_a_row_of_a_registry() {
    let v4: Vec<Ipv4Net> = V4.into();
    let v6: Vec<Ipv6Net> = V6.into();
    let ours: Vec<IpNet> = v4.into_iter().map(IpNet::from).chain(v6.into_iter().map(IpNet::from)).collect();
    let rows = [parsed(&ROWS_V4), parsed(&[MULTICAST]), parsed(&ROWS_V6)].concat();
    for block in &ours {
        assert!(rows.contains(block), "{block} is in no registry");
    }
    // Each row is in our list, except those inside another row and those outside of global unicast.
    let outside = |row: &IpNet| matches!(row, IpNet::V6(v6) if !GLOBAL_UNICAST.contains(v6));
    let within_another = |row: &IpNet| rows.iter().any(|other| other != row && other.contains(row));
    for row in rows.iter().filter(|row| !outside(row) && !within_another(row)) {
        assert!(ours.contains(row), "{row} is missing");
    }
}
