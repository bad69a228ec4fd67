"""Which addresses webhooks may go to."""

from ipaddress import ip_address, ip_network

import pytest

from store.webhook_targets import TargetRefused, check_address, check_url

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a01:203",
    "2002:7f00:1::",
    "fec0::1",
    "feff::1",
    "168.63.129.16",
    "192.0.0.192",
    "100.100.100.200",
    "fd00:ec2::254",
    "::ffff:168.63.129.16",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_public_is_refused(address):
    with pytest.raises(TargetRefused, match="not a public address"):
        check_address(ip_address(address), [])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_accepted(address):
    check_address(ip_address(address), [])


def test_an_allowed_network_is_accepted_and_no_other():
    allowed = [ip_network("10.1.0.0/16")]
    check_address(ip_address("10.1.2.3"), allowed)
    check_address(ip_address("::ffff:10.1.2.3"), allowed)
    for address in ("10.2.0.1", "127.0.0.1", "::1"):
        with pytest.raises(TargetRefused):
            check_address(ip_address(address), allowed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http://user:password@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "https://ex\u00e4mple.com/",
        "http://[::1/",
        "http://localhost/",
        "http://LOCALHOST:8000/",
        "http://api.localhost./",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_an_invalid_or_private_url_is_refused(url):
    with pytest.raises(TargetRefused):
        check_url(url, [])


@pytest.mark.parametrize(
    "url", ["https://example.com/hook?token=1", "http://93.184.215.14:8080/", "https://example.com"]
)
def test_a_public_url_is_accepted(url):
    check_url(url, [])
