"""An exception for each code that docs/api.md lists: the table there is held complete by a test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.client.methods import class_of
from deploy.client.types import docstring

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (?:yes|no) \| (.+) \|$", re.M)
HEAD = "from __future__ import annotations\n\nfrom millrace import errors\n\n\n"
BASES = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    402: "PaymentRequiredError",
    403: "ForbiddenError",
    404: "NotFoundError",
    409: "ConflictError",
    412: "PreconditionFailedError",
    413: "TooLargeError",
    422: "UnprocessableError",
    429: "TooManyRequestsError",
}


@dataclass(frozen=True)
class Code:
    """A stable code with its status, and what it means."""

    name: str
    status: int
    meaning: str

    @property
    def base(self) -> str:
        return BASES.get(self.status, "ServerError" if self.status >= 500 else "APIError")


def listed() -> list[Code]:
    """The table of docs/api.md, by code."""
    section = PAGE.read_text(encoding="utf-8").partition("## Errors")[2]
    return sorted((Code(name, int(status), told) for name, status, told in ROW.findall(section)), key=_name)


def _name(code: Code) -> str:
    return code.name


def module(codes: list[Code]) -> str:
    """The classes of some of the codes."""
    classes = []
    for code in codes:
        told = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", code.meaning)
        text = docstring([f"`{code.name}` ({code.status}): {told}."], "    ")
        classes.append("\n".join([f"class {class_of(code.name)}(errors.{code.base}):", *text]))
    return HEAD + "\n\n\n".join(classes) + "\n"


def index(modules: list[tuple[str, list[Code]]]) -> str:
    """The package that has all of them."""
    lines = ['"""An exception for each stable code of the API\'s errors."""', "", "from millrace import errors"]
    for name, codes in modules:
        # `A as A` says that the package offers it.
        offered = ", ".join(f"{class_of(code.name)} as {class_of(code.name)}" for code in codes)
        lines.append(f"from millrace.codes.{name} import {offered}")
    lines.append("\nCODES: dict[str, type[errors.APIError]] = {")
    lines += [f'"{code.name}": {class_of(code.name)},' for _, codes in modules for code in codes]
    return "\n".join(lines) + "\n}\n"
