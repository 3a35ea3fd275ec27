//! Which addresses are of the public internet. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is an ordinary one of the public internet. What is not known to be is not.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's special-purpose registry for IPv4; metadata services live in 169.254/16 and 100.64/10.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || address == Ipv4Addr::new(168, 63, 129, 16))
}

/// Global unicast is 2000::/3; out of it go the ranges that are for protocols, documentation, or wrap an IPv4
/// address (Teredo, 6to4). IPv4-mapped, NAT64, unique local, link-local and multicast lie outside of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    (0x2000..0x4000).contains(&a)
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn only_ordinary_addresses_of_the_public_internet_pass() {
        let refused = "127.0.0.1 0.0.0.0 0.1.2.3 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 \
            100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 \
            224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 192.88.99.1 \
            :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::a00:1 64:ff9b:1::1 fc00::1 fd00:ec2::254 \
            fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1 2001:10::1 2002:7f00:1::1 3fff::1 100::1 5f00::1";
        for address in refused.split_whitespace() {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let passed = "8.8.8.8 1.1.1.1 140.82.112.3 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 198.20.0.1 \
            2606:4700::1111 2a00:1450::1 2001:4860:4860::8888";
        for address in passed.split_whitespace() {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
