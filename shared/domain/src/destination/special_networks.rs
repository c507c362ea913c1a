//! The address blocks that IANA reserves for special purposes, as data. None of them is ever called, not even those that the
//! registries call globally reachable: they belong to the infrastructure of the Internet, and no receiver is in them.
//!
//! Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), as of 2026-07-18, and for multicast IANA's
//! IPv4 Address Space Registry (RFC 5771). To update this, change the rows and the date in `special_registries` according
//! to <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>: its tests then say what is missing here.
//!
//! Invariant: these are the blocks of the registries, no more and no fewer (tests:
//! `no_address_of_a_special_block_is_permitted`, `every_block_that_is_not_called_is_a_row_of_a_registry`).

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(segments: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

pub(super) const V4: [Ipv4Net; 18] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private use
    v4(100, 64, 0, 10),   // shared address space
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link local
    v4(172, 16, 0, 12),   // private use
    v4(192, 0, 0, 24),    // IETF protocol assignments
    v4(192, 0, 2, 24),    // documentation
    v4(192, 31, 196, 24), // AS112
    v4(192, 52, 193, 24), // AMT
    v4(192, 88, 99, 24),  // 6to4 relay anycast, deprecated
    v4(192, 168, 0, 16),  // private use
    v4(192, 175, 48, 24), // AS112, direct delegation
    v4(198, 18, 0, 15),   // benchmarking
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, with the broadcast address
];

/// The block that IANA assigns as global unicast. No receiver has an address outside of it.
pub(super) const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// The special blocks inside [`GLOBAL_UNICAST`].
pub(super) const V6: [Ipv6Net; 5] = [
    // IETF protocol assignments: Teredo, anycast of PCP, TURN and DNS-SD SRP, benchmarking, AMT, AS112, ORCHID, ORCHIDv2, DET.
    v6([0x2001, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0], 32),     // documentation
    v6([0x2002, 0, 0, 0], 16),         // 6to4
    v6([0x2620, 0x4f, 0x8000, 0], 48), // AS112, direct delegation
    v6([0x3fff, 0, 0, 0], 20),         // documentation
];
