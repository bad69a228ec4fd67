"""Hosts that are this machine."""

import pytest

from store.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_a_host_of_this_machine_is_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org"])
def test_another_host_is_not(host):
    assert not is_loopback(host)
