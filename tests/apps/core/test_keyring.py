"""FIELD_KEYS: what is taken, what stops a start, and the key that a developer's machine keeps."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.core import keyring
from apps.core.keyring import InvalidKeyring

GOOD = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()


def test_the_first_key_is_the_current_one() -> None:
    ring = keyring.parse(f" new:{GOOD}, old:{OTHER} ")
    assert ring.current == "new"
    assert list(ring.keys) == ["new", "old"]
    assert GOOD not in repr(ring)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key"),
        (GOOD, "no id"),
        (f"Upper:{GOOD}", "no id"),
        (f"a.b:{GOOD}", "no id"),
        ("k1:%%%", "not base64"),
        ("k1:" + base64.b64encode(b"x" * 31).decode(), "31 bytes"),
        ("k1:" + base64.b64encode(b"x" * 32).decode(), "not random"),
        (f"k1:{GOOD},k1:{OTHER}", "twice"),
        (f"k1:{GOOD},k2:{GOOD}", "twice"),
    ],
)
def test_an_unusable_entry_is_named_without_its_key(text: str, why: str) -> None:
    with pytest.raises(InvalidKeyring, match=why) as refused:
        keyring.parse(text)
    assert GOOD not in str(refused.value)


def test_a_server_refuses_to_start_without_a_key_and_with_a_developers() -> None:
    assert keyring.problems("", local=False) == ["FIELD_KEYS is not set"]
    assert keyring.problems("", local=True) == []
    assert "local use" in keyring.problems(keyring.generate("local-1"), local=False)[0]
    assert "local use" in keyring.problems(f"k1:{GOOD},{keyring.generate('local-1')}", local=False)[0]
    assert keyring.problems(keyring.generate("k1"), local=False) == []


def test_a_local_key_is_made_once_also_by_many_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "var" / "field_keys"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keyring.kept_locally(path), range(8)))
    assert len(found) == 1
    assert keyring.parse(found.pop()).current == "local-1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
