//! `url`: a line with the URL of a destination, and a line with the path of a subscription; and whether a refused address is
//! let through in another spelling, for which the input decides address and spelling.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::destination::{AddressPolicy, DeliveryPath, DestinationUrl, UrlError};
use serde_json::json;
use url::{Host, Url};

use crate::input::{line, read_back, text};

pub(crate) fn check(input: &[u8]) {
    let policy = AddressPolicy::new("", false, vec!["api.example".into()]).expect("a policy");
    if let Some((first, second)) = text(input).map(line) {
        if let Some(url) = read_back::<DestinationUrl>(&json!(first).to_string()) {
            accepted(first, &url, &policy, line(second).0);
        } else if let Err(error) = DestinationUrl::try_from(first.to_owned()) {
            assert!(error.to_string().chars().count() <= 300, "{error}");
        }
    }
    spelled(input, &policy);
}

fn accepted(typed: &str, url: &DestinationUrl, policy: &AddressPolicy, path: &str) {
    let plain = url.as_url();
    assert!(typed.len() <= 2_048 && plain.as_str().len() <= 2_048);
    assert!(plain.username().is_empty() && plain.password().is_none() && plain.fragment().is_none());
    assert_eq!(Url::parse(typed).as_ref(), Ok(plain), "it is called as it was typed");
    let allowed = url.check(policy);
    if allowed.is_ok() {
        assert_eq!(plain.scheme(), "https");
        match plain.host() {
            Some(Host::Ipv4(ip)) => assert!(is_called(ip.into()), "{plain}"),
            Some(Host::Ipv6(ip)) => assert!(is_called(ip.into()), "{plain}"),
            Some(Host::Domain(name)) => {
                assert!(number_of(name).is_none_or(|ip| is_called(ip.into())), "{name} is an address");
                assert!(!policy.is_own_host(name) && name.len() <= 254);
            }
            None => panic!("{plain} has no host"),
        }
    }
    if let Ok(path) = DeliveryPath::try_from(path.to_owned()) {
        let joined = url.join(Some(&path));
        assert!(joined.to_string().len() <= 2_048 + 256);
        assert_eq!(Url::parse(&joined.to_string()).as_ref(), Ok(joined.as_url()));
        let origin = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
        assert_eq!((origin(joined.as_url()), joined.as_url().query()), (origin(plain), plain.query()));
        assert!(joined.as_url().path().ends_with(path.as_str()), "{joined} ends with {}", path.as_str());
        assert_eq!(joined.check(policy), allowed, "a path decides nothing");
    }
}

/// Whether an address may be called, as the standard library knows addresses.
fn is_called(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let local = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified();
            let special = ip.is_broadcast() || ip.is_documentation() || ip.is_multicast();
            let shared = a == 100 && b & 0xc0 == 64 || a == 0 || a >= 240 || a == 198 && b & 0xfe == 18;
            !(local || special || shared)
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(inner) => is_called(inner.into()),
            None => {
                let [first, second, ..] = ip.segments();
                first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
            }
        },
    }
}

/// The address for which a resolver takes this name: one to four numbers, decimal, octal or hexadecimal.
fn number_of(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    let number = |part: &&str| match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        Some(rest) => u32::from_str_radix(rest, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    };
    let numbers: Vec<u32> = parts.iter().map(number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let high = first.iter().fold(0, |bits, part| bits << 8 | part);
    Some(Ipv4Addr::from((u64::from(high) << (32 - 8 * first.len()) | u64::from(*last)) as u32))
}

/// Writes an address that is refused in a spelling that the input chooses: it stays refused.
fn spelled(input: &[u8], policy: &AddressPolicy) {
    let [a, b, c, d, how, more, rest @ ..] = input else { return };
    let ip = Ipv4Addr::new(*a, *b, *c, *d);
    if !policy.permits(ip.into()) {
        for host in [v4(ip, *how, *more), v6_of(ip, *how)] {
            refused(&host, *more, policy);
        }
    }
    if let Some(bytes) = rest.first_chunk::<16>() {
        let ip = Ipv6Addr::from(*bytes);
        if !policy.permits(ip.into()) {
            let [s0, s1, s2, s3, s4, s5, s6, s7] = ip.segments();
            let long = format!("[{s0:04x}:{s1:04X}:{s2:x}:{s3:X}:{s4:x}:{s5:x}:{s6:04x}:{s7:x}]");
            [format!("[{ip}]"), long, format!("[{ip}%25eth0]"), format!("[{ip}%eth0]")].iter().for_each(|host| {
                refused(host, *more, policy);
            });
        }
    }
}

#[track_caller]
fn refused(host: &str, more: u8, policy: &AddressPolicy) {
    let scheme = ["https", "HTTPS", "hTTps", "http"][usize::from(more & 3)];
    let port = ["", ":443", ":8443", ":80"][usize::from(more >> 2 & 3)];
    let text = format!("{scheme}://{host}{port}/hooks");
    let answer = DestinationUrl::try_from(text.clone()).and_then(|url: DestinationUrl| url.check(policy));
    assert!(answer.is_err(), "{text} is let through");
    if let Err(UrlError::Blocked(told)) = answer {
        assert!(told.parse::<IpAddr>().is_ok_and(|ip| !policy.permits(ip)), "{text}: {told}");
    }
}

/// An address in one to four numbers, each in a base of its own, in other digits, or with other dots.
fn v4(ip: Ipv4Addr, how: u8, more: u8) -> String {
    let [a, b, c, d] = ip.octets().map(u32::from);
    let numbers = match how & 3 {
        0 => vec![a, b, c, d],
        1 => vec![a, b, c << 8 | d],
        2 => vec![a, b << 16 | c << 8 | d],
        _ => vec![u32::from(ip)],
    };
    let number = |(at, number): (usize, u32)| match how >> (2 + at) & 3 {
        0 => number.to_string(),
        1 => format!("0x{number:x}"),
        2 => format!("0{number:o}"),
        _ => format!("0X{number:08X}"),
    };
    let dots = [".", ".", "\u{3002}", "\u{ff0e}", "%2e", "\u{ff61}"][usize::from(more >> 4) % 6];
    let mut host = numbers.into_iter().enumerate().map(number).collect::<Vec<_>>().join(dots);
    match more % 7 {
        0 => host.push('.'),
        1 => {
            host = host.chars().map(|c| c.to_digit(10).and_then(|n| char::from_u32(0xff10 + n)).unwrap_or(c)).collect()
        }
        2 => host = host.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        3 => host.insert(0, '\u{ad}'),
        4 => host = format!("user@{host}"),
        5 => {
            host = host.chars().map(|c| c.to_digit(10).and_then(|n| char::from_u32(0x1d7ce + n)).unwrap_or(c)).collect()
        }
        _ => {}
    }
    host
}

/// An IPv4 address inside an IPv6 one.
fn v6_of(ip: Ipv4Addr, how: u8) -> String {
    let [a, b, c, d] = ip.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match how % 8 {
        0 => format!("[::ffff:{ip}]"),
        1 => format!("[::FFFF:{high:x}:{low:X}]"),
        2 => format!("[0:0:0:0:0:ffff:{high:04x}:{low:04x}]"),
        3 => format!("[::{ip}]"),
        4 => format!("[64:ff9b::{ip}]"),
        5 => format!("[2002:{high:x}:{low:x}::1]"),
        6 => format!("[::ffff:0:{ip}]"),
        _ => format!("[2001:0:{high:x}:{low:x}:0:0:fefe:fefe]"),
    }
}
