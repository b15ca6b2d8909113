"""`python -m ml.licensing`: verify, fingerprint, request, apply, artefacts."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ml.licensing as licensing
from ml.licensing import EXIT_CODES, Refused, Status, TrustAnchors, Verdict

# A vendor's build puts its anchors here; `--anchors` is for looking at a file by hand.
PACKED = Path(__file__).with_name("anchors.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except Refused as refusal:
        return _refuse(options, refusal.status, refusal.message)
    except OSError as error:
        return _refuse(options, Status.UNREADABLE, f"{error.filename}: {error.strerror}.")
    except (licensing.InvalidAnchors, licensing.InvalidLicenceKey, licensing.NoFingerprint) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    codes = "\n".join(f"  {code:>3}  {status}" for status, code in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m ml.licensing",
        description="Verify licences, and activate them, without a network.",
        epilog=f"exit codes:\n{codes}\n    2  wrong command line, anchors or licence key",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], int], help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help)
        added.set_defaults(run=run)
        added.add_argument("--anchors", type=Path, default=PACKED, help="the vendor's public keys")
        added.add_argument("--json", action="store_true", help="print JSON")
        return added

    verify = command("verify", _verify, "say whether a licence holds on this machine, now")
    verify.add_argument("licence", type=Path)
    verify.add_argument("--product", help="the product that it must be for")
    verify.add_argument("--revocations", type=Path, help="the vendor's revocation list")
    verify.add_argument("--state", type=Path, help="where this machine remembers what it has seen")
    verify.add_argument("--artefacts", type=Path, help="the folder whose files must be those of the licence")
    verify.add_argument("--entitlement", action="append", default=[], help="something that it must allow; repeatable")
    command("fingerprint", _fingerprint, "print this machine's fingerprint")
    request = command("request", _request, "write an activation request for this machine")
    request.add_argument("output", type=Path)
    request.add_argument("--key-file", type=Path, help="a file with the licence key; otherwise it is asked for")
    request.add_argument("--name", default=licensing.machine_name(), help="what the vendor shall call this machine")
    apply = command("apply", _apply, "take in the vendor's response")
    apply.add_argument("response", type=Path)
    apply.add_argument("--request", type=Path, required=True, help="the request that it answers; removed afterwards")
    apply.add_argument("--licence", type=Path, required=True, help="where to write the licence")
    apply.add_argument("--revocations", type=Path, help="where to write the revocation list")
    artefacts = command("artefacts", _artefacts, "check files against a licence, or print the digests of a folder")
    artefacts.add_argument("folder", type=Path)
    artefacts.add_argument("--licence", type=Path)
    return parser


def _refuse(options: argparse.Namespace, status: Status, message: str) -> int:
    return _tell(options, Verdict(status, message))


def _anchors(options: argparse.Namespace) -> TrustAnchors:
    return TrustAnchors.parse(options.anchors.read_bytes())


def _verify(options: argparse.Namespace) -> int:
    verdict = licensing.verify_files(
        options.licence,
        _anchors(options),
        product=options.product,
        revocations=options.revocations,
        state=options.state,
    )
    return _tell(options, _with_demands(verdict, options))


def _with_demands(verdict: Verdict, options: argparse.Namespace) -> Verdict:
    """The verdict, or what the licence lacks of what was asked for."""
    if not verdict.may_start_new or verdict.licence is None:
        return verdict
    lacking = [name for name in options.entitlement if not verdict.allows(name)]
    if lacking:
        return Verdict(Status.NOT_ENTITLED, f"The licence does not include {', '.join(lacking)}.", verdict.licence)
    problems = licensing.differences(verdict.licence, options.artefacts) if options.artefacts else []
    if problems:
        return Verdict(Status.ARTEFACTS_DIFFER, _told(problems), verdict.licence)
    return verdict


def _told(problems: list[licensing.Problem]) -> str:
    return f"Files differ from those of the licence: {'; '.join(map(str, problems))}."


def _tell(options: argparse.Namespace, verdict: Verdict) -> int:
    if options.json:
        print(json.dumps(verdict.as_json(), indent=2, ensure_ascii=False))
        return verdict.exit_code
    print(f"{verdict.status}: {verdict.message}", file=sys.stdout if verdict.may_start_new else sys.stderr)
    for warning in verdict.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if verdict.licence is not None and verdict.may_start_new:
        print("\n".join(_lines(verdict.licence)))
    return verdict.exit_code


def _lines(licence: licensing.Licence) -> list[str]:
    facts = {
        "licence": licence.id,
        "product": f"{licence.product} ({licence.policy}), by {licence.vendor_name}",
        "licensee": f"{licence.licensee} <{licence.email}>",
        "seats": "unlimited" if licence.seats is None else f"{licence.seats}{' floating' if licence.floating else ''}",
        "machines": len(licence.machines) if licence.machine_bound else "any",
        "entitlements": ", ".join(licence.entitlements) or "none beyond the product",
        "field of use": licence.field_of_use or "not restricted",
        "files": len(licence.artefacts),
    }
    return [f"  {name:<13} {value}" for name, value in facts.items()]


def _fingerprint(options: argparse.Namespace) -> int:
    found = licensing.fingerprint(_anchors(options).vendor)
    print(json.dumps({"fingerprint": found}) if options.json else found)
    return 0


def _request(options: argparse.Namespace) -> int:
    vendor = _anchors(options).vendor
    key = options.key_file.read_text().strip() if options.key_file else getpass.getpass("Licence key: ")
    found = licensing.fingerprint(vendor)
    data = licensing.make_request(key, vendor, found, options.name, datetime.now(UTC))
    _write(options.output, data)
    told = f"Send {options.output} to the vendor, and keep it: the response answers this request only."
    print(json.dumps({"request": str(options.output), "fingerprint": found}) if options.json else told)
    return 0


def _apply(options: argparse.Namespace) -> int:
    request = licensing.read_request(options.request.read_bytes())
    response, licence = licensing.apply(options.response.read_bytes(), request, _anchors(options))
    _write(options.licence, response.licence)
    if options.revocations is not None and response.revocations is not None:
        _write(options.revocations, response.revocations)
    # Answered: the same response does nothing a second time.
    options.request.unlink()
    print(json.dumps({"licence": licence.id}) if options.json else f"Activated: {options.licence} is in place.")
    return 0


def _artefacts(options: argparse.Namespace) -> int:
    if options.licence is None:
        found = licensing.digests(options.folder)
        lines = [{"path": artefact.path, "sha256": artefact.sha256} for artefact in found]
        print(json.dumps(lines, indent=2) if options.json else "\n".join(f"{a.sha256}  {a.path}" for a in found))
        return 0
    licence = licensing.open_licence(options.licence.read_bytes(), _anchors(options))
    problems = licensing.differences(licence, options.folder)
    if problems:
        return _refuse(options, Status.ARTEFACTS_DIFFER, _told(problems))
    message = f"All {len(licence.artefacts)} files are those of the licence."
    print(json.dumps({"status": "valid", "files": len(licence.artefacts)}) if options.json else message)
    return 0


def _write(path: Path, data: bytes) -> None:
    """Replaces the file in one step, so that a program never reads half a licence."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.chmod(0o600)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
