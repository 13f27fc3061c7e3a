"""What `~/.ssh/config` says of a host."""

import getpass
from pathlib import Path

import pytest

from orchestrate.adapters.ssh_config import Login, parse_jump, read_login
from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError
from tests.support.ssh_server import SshHome


@pytest.fixture(autouse=True)
def at_home(home: SshHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.folder))


def login(host: str, **more: object) -> Login:
    return read_login(FarHost(host=host, **more))  # type: ignore[arg-type]


def test_nothing_is_said(home: SshHome) -> None:
    found = login("db1")
    assert (found.address, found.port, found.user) == ("db1", 22, getpass.getuser())
    assert found.keys == (home.key,)
    assert found.known_hosts[0] == home.ssh / "known_hosts"
    assert (found.jumps, found.proxy_command, found.agent) == ((), None, None)
    assert (found.alive_seconds, found.alive_count, found.connect_seconds) == (15, 3, 15)


def test_a_block_of_the_users(home: SshHome) -> None:
    home.config(
        "Host bastion\n  HostName 192.0.2.7\n  Port 2222\n  User deploy\n"
        "  IdentityFile ~/.ssh/id_ed25519\n  IdentityFile ~/.ssh/missing\n  IdentitiesOnly yes\n"
        "  ProxyJump one,me@two:2200\n  UserKnownHostsFile ~/known /etc/known\n"
        "  ServerAliveInterval 2m\n  ServerAliveCountMax 5\n  ConnectTimeout 4\n"
        "  HostKeyAlias gate\n  IdentityAgent ~/agent\n"
    )
    found = login("bastion")
    assert (found.address, found.port, found.user) == ("192.0.2.7", 2222, "deploy")
    assert (found.keys, found.only_these_keys) == ((home.key,), True)
    assert found.jumps == (FarHost(host="one"), FarHost(host="two", user="me", port=2200))
    assert found.known_hosts[:2] == (home.folder / "known", Path("/etc/known"))
    assert (found.alive_seconds, found.alive_count, found.connect_seconds) == (120, 5, 4)
    assert (found.key_alias, found.agent) == ("gate", str(home.folder / "agent"))
    # What the spec says comes first.
    assert login("bastion", user="root", port=22).user == "root"
    assert login("bastion", user="root", port=22).port == 22


def test_an_include_stands_where_it_stands(home: SshHome) -> None:
    (home.ssh / "more").mkdir()
    (home.ssh / "more" / "a").write_text("User first\nHost db1\n  Port 2201\n")
    home.config("Include more/*\nConnectTimeout 3\nHost *\n  User second\n  Port 2202\n")
    found = login("db1")
    assert (found.user, found.port, found.connect_seconds) == ("first", 2201, 3)
    found = login("db2")
    assert (found.user, found.port, found.connect_seconds) == ("first", 2202, 3)


def test_a_jump_host_does_not_go_through_itself(home: SshHome) -> None:
    home.config("Host *\n  ProxyJump bastion\n")
    assert login("db1").jumps == (FarHost(host="bastion"),)
    assert login("bastion").jumps == ()


def test_a_command_leads_there_unless_there_is_a_jump(home: SshHome) -> None:
    home.config(
        "Host a\n  ProxyCommand nc %h %p\nHost b\n  ProxyCommand none\n"
        "Host c\n  ProxyJump x\n  ProxyCommand nc %h %p\n"
    )
    assert login("a").proxy_command == "nc a 22"
    assert login("b").proxy_command is None
    assert login("c").proxy_command is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db1", FarHost(host="db1")),
        (" me@db1:22", FarHost(host="db1", user="me", port=22)),
        ("[fd00::1]:2222", FarHost(host="fd00::1", port=2222)),
        ("ssh://me@db1", FarHost(host="db1", user="me")),
        ("a@b@db1", FarHost(host="db1", user="a@b")),
    ],
)
def test_jumps_are_read(text: str, expected: FarHost) -> None:
    assert parse_jump(text) == expected


@pytest.mark.parametrize("text", ["Port one", "ConnectTimeout soon", "ProxyJump a:b:c", "rubbish"])
def test_what_cannot_be_understood_is_an_error(home: SshHome, text: str) -> None:
    home.config(f"Host *\n  {text}\n")
    with pytest.raises(OrchestrateError, match="config") as caught:
        login("db1")
    assert caught.value.code == "ssh-unreachable"
