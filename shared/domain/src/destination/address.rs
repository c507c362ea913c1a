//! Which addresses may be called: global ones, and those that the operator allows in addition. It resolves no names;
//! the HTTP adapter asks it about the very address that it is about to connect to.
//!
//! Invariant: no non-global address is permitted, in any spelling and in any IPv6 form (tests:
//! `non_global_addresses_are_refused_and_their_neighbours_are_not`, `v4_addresses_inside_v6_ones_follow_the_v4_rule`,
//! `a_literal_private_address_is_refused_in_every_spelling`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

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
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let refused = match ip.octets() {
        [0 | 10 | 127, ..] => true,
        [100, b, ..] => (64..128).contains(&b),
        [169, 254, ..] => true,
        [172, b, ..] => (16..32).contains(&b),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 168, ..] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] => true,
        [203, 0, 113, _] => true,
        [224..=255, ..] => true,
        _ => false,
    };
    !refused
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        // ::, ::1 and the deprecated v4-compatible form.
        [0, 0, 0, 0, 0, 0, _, _] => false,
        // NAT64, well-known and local-use prefixes.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_global_v4(v4(high, low)),
        [0x64, 0xff9b, ..] => false,
        // Discard-only, documentation.
        [0x100, 0, 0, 0, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Teredo: the address of the server, and that of the client with its bits inverted.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            is_global_v4(v4(server_high, server_low)) && is_global_v4(v4(!high, !low))
        }
        // 6to4.
        [0x2002, high, low, ..] => is_global_v4(v4(high, low)),
        // Unique local, link local, site local, multicast.
        [first, ..] => !matches!(first, 0xfc00..=0xfdff | 0xfe80..=0xffff),
    }
}

#[cfg(test)]
mod tests {
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
        "192.88.99.1",
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
        check(
            &policy,
            &[
                "::",
                "::1",
                "::7f00:1",
                "fc00::1",
                "fdff::1",
                "fe80::1",
                "fec0::1",
                "ff02::1",
                "2001:db8::1",
                "100::1",
                "64:ff9b:1::1",
            ],
            false,
        );
        check(&policy, &["2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "fbff::1"], true);
    }

    #[test]
    fn v4_addresses_inside_v6_ones_follow_the_v4_rule() {
        let policy = AddressPolicy::default();
        for (v4s, permitted) in [(REFUSED_V4, false), (GLOBAL_V4, true)] {
            for text in v4s {
                let [a, b, c, d] = text.parse::<Ipv4Addr>().expect("an address").octets();
                let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                let (client_high, client_low) = (!high, !low);
                for v6 in [
                    format!("::ffff:{text}"),
                    format!("64:ff9b::{text}"),
                    format!("2002:{high:x}:{low:x}::1"),
                    format!("2001:0:101:101:0:0:{client_high:x}:{client_low:x}"),
                    format!("2001:0:{high:x}:{low:x}:0:0:fefe:fefe"),
                ] {
                    check(&policy, &[&v6], permitted);
                }
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
    }
}
