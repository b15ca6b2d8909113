"""`python -m ml.licensing`, as a licensee runs it: its own process, its exit codes, and nothing heavy loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ml import licensing
from ml.licensing import Response, Status, __main__, machine
from tests.ml.licensing.conftest import LICENCE, STANDARD, VENDOR

ROOT = Path(__file__).resolve().parents[3]
DAY = timedelta(days=1)


@pytest.fixture
def present(vendor):
    """Licence files of today, for this machine."""
    today = datetime.now(UTC).replace(microsecond=0)
    own = licensing.fingerprint(VENDOR)

    def make(**changes):
        usual = {"issued": today - DAY, "starts": today - 400 * DAY, "file_expires": today + 29 * DAY}
        licence = replace(STANDARD, **{**usual, "machines": (own,), "expires": today + 300 * DAY, **changes})
        return vendor.keys.sign("license", licence.to_payload())

    return make


@pytest.fixture
def folder(tmp_path, vendor):
    (tmp_path / "anchors.json").write_bytes(vendor.anchors.to_bytes())
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    return __main__.main([arguments[0], "--anchors", str(folder / "anchors.json"), *arguments[1:]])


def verified(folder: Path, data: bytes, *options: str) -> int:
    path = folder / "licence.lic"
    path.write_bytes(data)
    return run(folder, "verify", str(path), *options)


def test_each_refusal_has_its_exit_code(folder, present, vendor, capsys):
    today = datetime.now(UTC).replace(microsecond=0)
    state, listed = folder / "state.json", folder / "list.crl"
    forged = licensing.SigningKeys("2026", {"2026": bytes(range(5, 37))}).sign("license", STANDARD.to_payload())
    cases = [
        (Status.VALID, present(), ()),
        (Status.FORGED, forged, ()),
        (Status.OTHER_MACHINE, present(machines=("b" * 64,)), ()),
        (Status.GRACE, present(expires=today - DAY), ()),
        (Status.EXPIRED, present(expires=today - 20 * DAY), ()),
        (Status.STALE, present(file_expires=today - DAY), ()),
        (Status.CLOCK_ROLLED_BACK, present(issued=today + 5 * DAY), ()),
        (Status.MALFORMED, present()[:-1], ()),
        (Status.WRONG_PRODUCT, present(), ("--product", "painter")),
        (Status.NOT_ENTITLED, present(), ("--entitlement", "resale")),
        (Status.ARTEFACTS_DIFFER, present(), ("--artefacts", str(folder))),
    ]
    for status, data, options in cases:
        assert verified(folder, data, *options) == licensing.EXIT_CODES[status], status
    listed.write_bytes(vendor.revocations(4, LICENCE, issued=today))
    options = ("--state", str(state), "--revocations", str(listed))
    assert verified(folder, present(), *options) == licensing.EXIT_CODES[Status.REVOKED]
    listed.write_bytes(vendor.revocations(3, issued=today))
    assert verified(folder, present(), *options) == licensing.EXIT_CODES[Status.LIST_ROLLED_BACK]
    assert run(folder, "verify", str(folder / "none.lic")) == licensing.EXIT_CODES[Status.UNREADABLE]
    assert "revoked:" in capsys.readouterr().err


def test_json_says_all_that_a_program_needs(folder, present, capsys):
    assert verified(folder, present(), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["may_start_new"], told["licence"]["seats"]) == ("valid", True, 25)


def test_a_machine_is_activated_without_a_network(folder, vendor, present, capsys):
    key = licensing.new_key(UUID(LICENCE))
    (folder / "key").write_text(key + "\n")
    request, response, licence = folder / "request.txt", folder / "response.txt", folder / "licence.lic"
    assert run(folder, "request", str(request), "--key-file", str(folder / "key"), "--name", "build-01") == 0
    asked = licensing.read_request(request.read_bytes())
    licensing.check_proof(request.read_bytes(), licensing.key_digest(key))
    assert (asked.name, asked.fingerprint) == ("build-01", licensing.fingerprint(VENDOR))
    answer = Response(asked.nonce, datetime.now(UTC), present(), None)
    response.write_bytes(vendor.keys.sign("response", answer.to_payload()))
    options = ("--request", str(request), "--licence", str(licence))
    assert run(folder, "apply", str(response), *options) == 0
    assert run(folder, "verify", str(licence)) == 0
    assert licence.stat().st_mode & 0o777 == 0o600
    # The request is used up.
    assert run(folder, "apply", str(response), *options) == licensing.EXIT_CODES[Status.UNREADABLE]


def test_digests_of_a_folder_are_printed_and_checked(folder, present, capsys):
    model = folder / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"weights")
    assert run(folder, "artefacts", str(model)) == 0
    sha256, path = capsys.readouterr().out.split()
    (folder / "licence.lic").write_bytes(present(artefacts=(licensing.Artefact(path, sha256),)))
    assert run(folder, "artefacts", str(model), "--licence", str(folder / "licence.lic")) == 0
    (model / "weights").write_bytes(b"other")
    assert run(folder, "artefacts", str(model), "--licence", str(folder / "licence.lic")) == 50


def test_without_the_vendors_keys_nothing_is_verified(folder, present, capsys):
    (folder / "anchors.json").write_text("{}")
    assert verified(folder, present()) == 2
    (folder / "anchors.json").unlink()
    assert verified(folder, present()) == licensing.EXIT_CODES[Status.UNREADABLE]


def test_as_a_process_it_loads_neither_models_nor_a_framework(folder, present):
    (folder / "licence.lic").write_bytes(present())
    code = (
        "import sys\nfrom ml.licensing.__main__ import main\ncode = main(sys.argv[1:])\n"
        "heavy = {'torch', 'numpy', 'transformers', 'django', 'celery', 'redis', 'requests', 'stripe'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    arguments = ["verify", str(folder / "licence.lic"), "--anchors", str(folder / "anchors.json")]
    # An empty environment as well: nothing of it is read.
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, env={}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    usual = [sys.executable, "-m", "ml.licensing", "--help"]
    assert "exit codes:" in subprocess.run(usual, cwd=ROOT, capture_output=True, text=True).stdout


def test_fingerprints_differ_by_vendor_and_machine():
    assert machine.digest("a", "1") != machine.digest("b", "1") != machine.digest("b", "2")
    assert machine.digest("a", "ID\n") == machine.digest("a", "id")
    assert licensing.is_fingerprint(licensing.fingerprint(VENDOR))
