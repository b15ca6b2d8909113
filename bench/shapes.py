"""Models with random weights in the shape of known ones, built on the spot: nothing is downloaded.

`python -m bench.shapes 135m` writes one into var/bench/models and prints its folder. Speed depends on the shape alone;
what such a model writes is noise.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

MODELS = Path(__file__).resolve().parents[1] / "var" / "bench" / "models"
# Raised when what is built changes, so that a folder left by an earlier version is not measured.
RECIPE = 3
LAYER_SPREAD, EMBEDDING_SPREAD = 0.04, 0.02

SHAPES: dict[str, dict[str, Any]] = {
    # For the tests of these scripts: everything runs, nothing means anything.
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
    },
    # SmolLM-135M.
    "135m": {
        "vocab_size": 49_152,
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
    },
    # Llama-3.2-1B: 1.24 billion parameters.
    "1b": {
        "vocab_size": 128_256,
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 8192,
    },
}

CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxyz", "aeiou"
END = "<end>"


def build(shape: str, folder: Path | None = None) -> Path:
    """Write the model and its tokenizer, unless that has been done before; returns the folder."""
    target = folder or MODELS / shape
    stamp = {"recipe": RECIPE, "shape": SHAPES[shape]}
    marker = target / "shape.json"
    if marker.is_file() and json.loads(marker.read_text()) == stamp:
        return target
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _save(SHAPES[shape], unfinished)
    (unfinished / "shape.json").write_text(json.dumps(stamp))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return target


def _save(shape: dict[str, Any], folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(**shape, max_position_embeddings=4096, tie_word_embeddings=True, bos_token_id=None)
    config.eos_token_id = config.pad_token_id = 0
    # With the usual 0.02 a tied model repeats its last token for ever: the embedding outweighs all layers. Larger
    # layers make what it writes depend on all that came before, which the comparison with generate() needs.
    config.initializer_range = LAYER_SPREAD
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")  # a billion normal numbers take a while
    with device:
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(EMBEDDING_SPREAD / LAYER_SPREAD)
    model.save_pretrained(folder)
    tokenizer(shape["vocab_size"]).save_pretrained(folder)


def tokenizer(vocabulary: int) -> Any:
    """Return a byte-level BPE tokenizer with exactly `vocabulary` tokens, made of invented words such as " bakode".

    Every token that is a whole word encodes back to itself, so a prompt of words has a known number of tokens.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(islice(_merges(), vocabulary - len(alphabet) - 1))
    tokens = [END, *alphabet, *(left + right for left, right in merges)]
    if len(tokens) != vocabulary:
        raise ValueError(f"a vocabulary of {vocabulary} cannot be built")
    table = {token: index for index, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=table, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, pad_token=END)


def _merges() -> Iterator[tuple[str, str]]:
    """Yield the merges in the order of their rank: syllables, word beginnings, then words of two to four syllables.

    No merge joins a vowel to the consonant after it, so a word is always put together from its syllables, left to
    right.
    """
    space = "Ġ"  # how byte-level BPE writes the space before a word
    syllables = [consonant + vowel for consonant, vowel in product(CONSONANTS, VOWELS)]
    yield from product(CONSONANTS, VOWELS)
    words = [space + syllable for syllable in syllables]
    yield from ((space, syllable) for syllable in syllables)
    while True:
        yield from product(words, syllables)
        words = [word + syllable for word, syllable in product(words, syllables)]


def main() -> int:
    """Build one shape and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=sorted(SHAPES))
    print(build(parser.parse_args().shape))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
