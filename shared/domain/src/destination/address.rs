//! Which addresses may be called: global ones, and those that the operator allows in addition. It resolves no names;
//! the HTTP adapter asks it about the very address that it is about to connect to. `special_networks` has the data.
//!
//! IPv4 is global except for the special blocks. IPv6 is the other way round: only global unicast is permitted, less the
//! special blocks in it. An IPv4-mapped address is judged as the IPv4 address that a connection would go to.
//!
//! Invariant: no non-global address is permitted, in any spelling and in any IPv6 form (tests:
//! `non_global_addresses_are_refused_and_their_neighbours_are_not`, `a_v6_address_is_permitted_only_where_it_can_be_global`,
//! `v4_addresses_inside_v6_ones_are_refused_unless_they_are_mapped`,
//! `a_literal_private_address_is_refused_in_every_spelling`).

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::special_networks::{self, GLOBAL_UNICAST};

/// What the operator allows in addition to global addresses over `https`.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
    pub allow_http: bool,
    /// Host names that are never called: this system's own API.
    own_hosts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a CIDR such as 10.0.0.0/8; separate several with commas")]
pub struct CidrError {
    found: String,
}

impl AddressPolicy {
    /// `allowed` is a comma-separated list of CIDRs; empty allows none.
    pub fn new(allowed: &str, allow_http: bool, own_hosts: Vec<String>) -> Result<Self, CidrError> {
        let cidrs = allowed.split(',').map(str::trim).filter(|part| !part.is_empty());
        let cidr = |part: &str| IpNet::from_str(part).map_err(|_| CidrError { found: part.to_owned() });
        Ok(Self { allowed: cidrs.map(cidr).collect::<Result<_, _>>()?, allow_http, own_hosts })
    }

    /// Whether `address` may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        let inner = unwrap_v4(address);
        let allowed = |ip: &IpAddr| self.allowed.iter().any(|net| net.contains(ip));
        allowed(&address) || allowed(&inner) || is_global(inner)
    }

    /// Whether `host` is this system's own API, which no destination may call.
    pub fn is_own_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.own_hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// The IPv4 address that an IPv6 one stands for (v4-mapped), or the address itself.
fn unwrap_v4(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !special_networks::V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) => GLOBAL_UNICAST.contains(&v6) && !special_networks::V6.iter().any(|net| net.contains(&v6)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(policy: &AddressPolicy, addresses: &[&str], permitted: bool) {
        for address in addresses {
            assert_eq!(policy.permits(address.parse().expect("an address")), permitted, "{address}");
        }
    }

    const REFUSED_V4: &[&str] = &[
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.1",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.100.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
    ];
    const GLOBAL_V4: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "128.0.0.1",
        "169.253.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.0.3.1",
        "192.167.0.1",
        "192.169.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "198.51.101.1",
        "203.0.114.1",
        "223.255.255.255",
    ];

    #[test]
    fn non_global_addresses_are_refused_and_their_neighbours_are_not() {
        let policy = AddressPolicy::default();
        check(&policy, REFUSED_V4, false);
        check(&policy, GLOBAL_V4, true);
    }

    #[test]
    fn a_v6_address_is_permitted_only_where_it_can_be_global() {
        let policy = AddressPolicy::default();
        let refused = [
            "::",
            "::1",
            "::7f00:1",
            "::ffff:0:127.0.0.1",
            "::ffff:0:8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "1fff:ffff::1",
            "2001::1",
            "2001:1::1",
            "2001:2::1",
            "2001:3::1",
            "2001:4:112::1",
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2001:db8:ffff::1",
            "2002::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "8000::1",
            "fbff::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        check(&policy, &refused, false);
        let permitted = [
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700:4700::1111",
            "2620:4f:7fff::1",
            "2620:4f:8001::1",
            "2a00:1450::1",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:8.8.8.8",
        ];
        check(&policy, &permitted, true);
    }

    #[test]
    fn v4_addresses_inside_v6_ones_are_refused_unless_they_are_mapped() {
        let policy = AddressPolicy::default();
        for (v4s, permitted) in [(REFUSED_V4, false), (GLOBAL_V4, true)] {
            for text in v4s {
                let [a, b, c, d] = text.parse::<Ipv4Addr>().expect("an address").octets();
                let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                check(&policy, &[&format!("::ffff:{text}")], permitted);
                let inside = [
                    format!("::{text}"),
                    format!("::ffff:0:{text}"),
                    format!("64:ff9b::{text}"),
                    format!("2002:{high:x}:{low:x}::1"),
                    format!("2001:0:{high:x}:{low:x}:0:0:fefe:fefe"),
                ];
                check(&policy, &inside.each_ref().map(String::as_str), false);
            }
        }
    }

    #[test]
    fn an_operator_can_allow_networks() {
        let policy = AddressPolicy::new("127.0.0.0/8, ::1/128", true, vec![]).expect("a policy");
        check(&policy, &["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "1.1.1.1"], true);
        check(&policy, &["10.0.0.1", "169.254.169.254", "::2"], false);
        let error = AddressPolicy::new("127.0.0.1", false, vec![]).map_err(|e| e.to_string()).err();
        assert_eq!(
            error.as_deref(),
            Some(r#""127.0.0.1" is not a CIDR such as 10.0.0.0/8; separate several with commas"#)
        );
    }

    #[test]
    fn its_own_host_is_known_in_every_spelling() {
        let policy = AddressPolicy::new("", false, vec!["abc.execute-api.example".into()]).expect("a policy");
        assert!(policy.is_own_host("ABC.execute-api.example."));
        assert!(!policy.is_own_host("abc.execute-api.example.org"));
    }

    proptest! {
        #[test]
        fn a_v4_address_and_its_mapped_form_are_judged_alike(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let policy = AddressPolicy::default();
            prop_assert_eq!(policy.permits(v4.into()), policy.permits(v4.to_ipv6_mapped().into()));
        }

        #[test]
        fn no_v6_address_outside_of_global_unicast_is_permitted(bits: u128) {
            let v6 = Ipv6Addr::from(bits);
            let mapped_or_global = v6.to_ipv4_mapped().is_some() || v6.segments()[0] >> 13 == 1;
            prop_assert!(mapped_or_global || !AddressPolicy::default().permits(v6.into()));
        }
    }
}
