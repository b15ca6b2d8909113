"""Which internet addresses a request that somebody else chose may be sent to (OWASP: server-side request forgery)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# What is reserved for anything but hosts on the internet, and what `ipaddress` of some 3.11 takes for public
# (IANA's special-purpose registries). 168.63.129.16 is Azure's machine agent, a public address inside every machine.
_NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
        "192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 "
        "198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20"
    ).split()
]
_GLOBAL_UNICAST = ip_network("2000::/3")
# Private in the sense that an operator's own services live there.
_PRIVATE = [
    ip_network(text)
    for text in "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7".split()
]
# Clouds hand credentials to whoever asks there: never, also where private addresses are allowed.
_METADATA = {
    ip_address(text)
    for text in "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254".split()
}
# Addresses that carry an IPv4 address in their last 32 bits: mapped, compatible, translated, NAT64 (RFC 6052).
_CARRIERS = [ip_network(text) for text in "::ffff:0:0/96 ::/96 ::ffff:0:0:0/96 64:ff9b::/96".split()]


def may_be_reached(text: str, allow_private: bool = False) -> bool:
    """Whether the address is a host on the internet, or with `allow_private` one of the operator's own network.

    An IPv6 address that carries an IPv4 address is judged by what it carries.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    carried = _carried(address)
    if carried is not None:
        return _allowed(carried, allow_private)
    return _allowed(address, allow_private)


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address) or int(address) in (0, 1):
        return None
    if any(isinstance(net, IPv6Network) and address in net for net in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _allowed(address: IPv4Address | IPv6Address, allow_private: bool) -> bool:
    if address in _METADATA:
        return False
    if allow_private and any(address in net for net in _PRIVATE):
        return True
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in net for net in _NOT_PUBLIC)
