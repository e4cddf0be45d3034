"""
Hosts that a server may send us to for a file: any public one, unless the connection names them.

An address out of an answer is a stranger's. It may lead to what only a worker can reach: its own machine, its
network, a cloud's metadata. So private addresses are followed only where the server itself has such a one, or
the connection names them. Names are judged by what is connected to; behind a proxy, which resolves them,
only addresses that are written as numbers are.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

import httpx

from airflow_provider_videos.api.environment import address_of, proxy_for
from airflow_provider_videos.api.errors import InvalidRequest, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_videos.api.redaction import Redactor

__all__ = ["ResultHosts"]

IPAddress: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
IPNetwork: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

_ENTRY = re.compile(r"(?P<name>\*|(?:\*?\.)?[^\s:/@?#*\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}", re.IGNORECASE)
_LAST_FOUR_BYTES = 2**32 - 1
_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
_ANY = "*"


class Reach(Enum):
    """Part of the net that an address is in."""

    HOST = "this machine's own"
    LINK = "a link-local"
    PRIVATE = "a private"
    PUBLIC = "a public"


_FOLLOWED = {
    Reach.HOST: {Reach.HOST, Reach.PRIVATE},  # a server on this very machine shares its networks
    Reach.LINK: {Reach.LINK},
    Reach.PRIVATE: {Reach.PRIVATE},
    Reach.PUBLIC: set[Reach](),
}


def reach_of(address: IPAddress) -> Reach:
    """
    Return which part of the net an address is in, also one that is wrapped in another.

    :param address: the address.
    """
    inner = _unwrapped(address)
    if inner.is_loopback or inner.is_unspecified:
        return Reach.HOST
    if inner.is_link_local:
        return Reach.LINK
    return Reach.PUBLIC if inner.is_global and not inner.is_multicast else Reach.PRIVATE


def _unwrapped(address: IPAddress) -> IPAddress:
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback or address.is_unspecified:
        return address
    if any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(int(address) & _LAST_FOUR_BYTES)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def literal_of(host: str) -> IPAddress | None:
    """
    Return the address that a host is written as, in any spelling that a resolver takes; None for a name.

    :param host: such as ``127.0.0.1``, ``::1``, ``0x7f.1``, ``2130706433`` or ``localhost``.
    """
    host = _plain(host)
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        if _NUMBERS.fullmatch(host):
            return ipaddress.IPv4Address(socket.inet_aton(host))
        return ipaddress.ip_address(host.partition("%")[0])
    except (ValueError, OSError):
        return None


def _plain(host: str) -> str:
    return host.strip("[]").lower().rstrip(".")


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    port: int | None
    network: IPNetwork | None

    @classmethod
    def parse(cls, text: str) -> _Entry:
        try:
            return cls("", None, ipaddress.ip_network(re.sub(r"^\[(.*)\]$", r"\1", text), strict=False))
        except ValueError:
            match = _ENTRY.fullmatch(text)
        if not match:
            raise InvalidRequest(
                "result_hosts must be hosts such as cdn.example.com, *.example.com, minio:9000, 10.0.0.0/8, "
                f"with commas between them; got {text!r}"
            )
        name, port = match["name"].strip("[]").lower().rstrip("."), match["port"] and int(match["port"])
        network = None if literal_of(name) is None else ipaddress.ip_network(str(literal_of(name)))
        return cls(name.removeprefix("*") if name != _ANY else name, port or None, network)

    def names(self, url: httpx.URL) -> bool:
        host, port = _plain(url.host), url.port or {"http": 80, "https": 443}.get(url.scheme)
        if self.port not in {None, port} or self.name in {"", _ANY}:
            return False
        return host.endswith(self.name) if self.name.startswith(".") else host == self.name


@dataclass(frozen=True, slots=True)
class ResultHosts:
    """
    Hosts that a connection names.

    :param entries: what it names; all public ones if nothing.
    """

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> ResultHosts:
        """
        Read what a connection says.

        :param texts: hosts, domains behind ``*.``, addresses or networks, with a port or without; ``*`` for
            any public one.
        :raises InvalidRequest: if one of them is none of these.
        """
        return cls(tuple(map(_Entry.parse, texts)))

    def name(self, url: httpx.URL, address: IPAddress | None) -> bool:
        """
        Say whether an address is named, by its host or by where that is.

        :param url: the address.
        :param address: where its host is, if that is known.
        """
        if any(entry.names(url) for entry in self.entries):
            return True
        networks = [
            entry.network for entry in self.entries if entry.network and entry.port in {None, url.port}
        ]
        return address is not None and any(_unwrapped(address) in network for network in networks)

    @property
    def admit_any(self) -> bool:
        """Whether every public host may be followed to."""
        return not self.entries or any(entry.name == _ANY for entry in self.entries)


class Home(Protocol):
    """A server that answers; :class:`.Endpoint` is one."""

    @property
    def base_url(self) -> str:
        """Its address."""

    @property
    def result_hosts(self) -> ResultHosts:
        """Hosts that it may send us to."""

    @property
    def redactor(self) -> Redactor:
        """Takes its secrets out of words."""

    def is_home_of(self, url: str) -> bool:
        """Say whether an address is on this server."""


def check_address(endpoint: Home, url: httpx.URL) -> None:
    """
    See that an address out of an answer may be asked, as far as it says so by itself.

    :param endpoint: the server that it is from.
    :param url: the address.
    :raises Refused: if it may not.
    """
    address, proxied = literal_of(url.host), proxy_for(url) is not None
    if endpoint.is_home_of(str(url)) or endpoint.result_hosts.name(url, address):
        return
    if address is None and not proxied:
        return  # whoever connects looks where the name leads
    if not endpoint.result_hosts.admit_any:
        raise _refused(endpoint, url, "which is none of the connection's result_hosts")
    server = literal_of(_host_of(endpoint))
    if address is not None and (server is not None or proxied):
        _check_reach(endpoint, url, address, [server] if server else [])


def check_peer(endpoint: Home, url: httpx.URL, peer: str) -> None:
    """
    See that an address out of an answer may be asked, now that it is known where it leads; may block.

    :param endpoint: the server that it is from.
    :param url: the address.
    :param peer: the number of the host that was connected to.
    :raises Refused: if it may not.
    """
    address = ipaddress.ip_address(peer.partition("%")[0])
    if endpoint.result_hosts.name(url, address):
        return
    if not endpoint.result_hosts.admit_any:
        raise _refused(endpoint, url, "which is none of the connection's result_hosts")
    if reach_of(address) is not Reach.PUBLIC:
        _check_reach(endpoint, url, address, _resolved(_host_of(endpoint)))


def _host_of(endpoint: Home) -> str:
    return httpx.URL(endpoint.base_url).host


def _check_reach(endpoint: Home, url: httpx.URL, address: IPAddress, servers: Iterable[IPAddress]) -> None:
    reach = reach_of(address)
    if reach is Reach.PUBLIC or any(reach in _FOLLOWED[reach_of(server)] for server in servers):
        return
    raise _refused(endpoint, url, f"which is {reach.value} address, while the server's own is not")


def _resolved(host: str) -> Iterator[IPAddress]:
    try:
        found = socket.getaddrinfo(_plain(host), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for *_, place in found:
        yield ipaddress.ip_address(str(place[0]).partition("%")[0])


def _refused(endpoint: Home, url: httpx.URL, why: str) -> Refused:
    host = endpoint.redactor.redact(address_of(url), longest=100)
    return Refused(
        f"the server says that the file is at {host}, {why}; it was not asked. If it is to be, name the host "
        "in the connection's extra field `result_hosts`"
    )
