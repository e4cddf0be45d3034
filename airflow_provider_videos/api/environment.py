"""Proxies and certificates as the process environment names them, looked up for one address at a time."""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import os
import re
import ssl
from contextlib import suppress
from urllib.request import getproxies

import httpx

from airflow_provider_videos.api.errors import InvalidRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTP, _SOCKS = {"http", "https"}, {"socks5", "socks5h"}
_ENTRY = re.compile(
    r"(?:(?P<scheme>\w+)://)?(?P<host>\[[^\]]*\](?:/\d+)?|[^:]*|.*:.*:.*?)(?::(?P<port>\d+))?"
)


def address_of(url: httpx.URL) -> str:
    """
    Return host and port of an address, as a message names a server; nothing else of it.

    :param url: the address.
    """
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{_port_of(url)}"


def _port_of(url: httpx.URL) -> int | None:
    return url.port or _DEFAULT_PORTS.get(url.scheme)


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """
    Return the proxy that the environment sets for an address, or None.

    :param url: the address.
    :raises InvalidRequest: if the variable names nothing that can be a proxy; it is never quoted, since a
        password may be in it.
    """
    known = getproxies()
    kind = next((kind for kind in (url.scheme, "all") if known.get(kind, "").strip()), None)
    if kind is None or _is_exempt(url, known.get("no", "")):
        return None
    name = next((name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if os.environ.get(name)), None)
    return _proxy(name or f"the system's {kind} proxy", known[kind].strip(), url)


def _proxy(name: str, given: str, url: httpx.URL) -> httpx.Proxy:
    address = _parsed(given if "://" in given else f"http://{given}")
    if address is None:
        raise _bad_proxy(name, "is not the address of a proxy, such as http://proxy:3128", url)
    if address.scheme in _SOCKS and importlib.util.find_spec("socksio") is None:
        raise _bad_proxy(name, "names a SOCKS proxy, which takes `pip install 'httpx[socks]'`", url)
    if address.scheme not in _HTTP | _SOCKS:
        known = "http, https, socks5 or socks5h"
        raise _bad_proxy(name, f"names a proxy of the unknown scheme {address.scheme!a}, not {known}", url)
    secure = tls_context(verify=True) if address.scheme == "https" else None
    return httpx.Proxy(address, ssl_context=secure)


def _parsed(text: str) -> httpx.URL | None:
    with suppress(httpx.InvalidURL, UnicodeError):
        url = httpx.URL(text)
        return url if url.host and (url.port is None or 0 < url.port < 2**16) else None
    return None


def _bad_proxy(name: str, why: str, url: httpx.URL) -> InvalidRequest:
    return InvalidRequest(
        f"the environment variable {name} {why}; correct it, or put {url.host} into NO_PROXY"
    )


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    return any(_covers(entry, url) for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry)


def _covers(entry: str, url: httpx.URL) -> bool:
    """Say whether an entry of NO_PROXY is about an address; one that makes no sense is about none."""
    if entry == "*":
        return True
    match = _ENTRY.fullmatch(entry)
    if match is None or match["scheme"] not in {None, "all", url.scheme}:
        return False
    if match["port"] and int(match["port"]) != _port_of(url):
        return False
    host = match["host"].replace("[", "").replace("]", "")
    with suppress(ValueError):
        return ipaddress.ip_address(url.host) in ipaddress.ip_network(host, strict=False)
    return f".{url.host.rstrip('.')}".endswith("." + host.lstrip("*").strip(".")) and host.strip("*.") != ""


def tls_context(*, verify: bool | str) -> ssl.SSLContext:
    """
    Return the TLS context for a setting; all clients of a process share one, since to build it takes 22 ms.

    :param verify: whether certificates are checked, or the path of a CA bundle to check them with.
    :raises InvalidRequest: if the bundle cannot be read, or one that the environment names.
    """
    environment = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    return _context(verify, *environment) if verify is True else _context(verify, None, None)


@functools.lru_cache(maxsize=8)
def _context(verify: bool | str, file: str | None, folders: str | None) -> ssl.SSLContext:  # noqa: FBT001 - the setting as httpx takes it
    if verify is False:
        return httpx.create_ssl_context(verify=False)
    if isinstance(verify, str):
        return _trusting("verify must be true, false or the path of a CA bundle", file=verify)
    if file:
        return _trusting("the environment variable SSL_CERT_FILE must name a CA bundle", file=file)
    if folders:
        return _trusting("the environment variable SSL_CERT_DIR must name a folder", folders=folders)
    return httpx.create_ssl_context(trust_env=False)


def _trusting(rule: str, *, file: str | None = None, folders: str | None = None) -> ssl.SSLContext:
    # OpenSSL takes a folder that is not there for an empty one, and then nobody is trusted.
    if folders and not any(map(os.path.isdir, folders.split(os.pathsep))):
        raise InvalidRequest(f"{rule}; {folders!r}: there is no such folder")
    try:
        return ssl.create_default_context(cafile=file, capath=folders)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{rule}; {file or folders!r}: {error}") from None
