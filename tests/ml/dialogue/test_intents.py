"""Intents: training from few examples, calibration, what is out of scope, doubted labels, batches of many callers."""

import asyncio
import csv
import json
import math
import string
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from bench.intents import main as bench_intents
from ml.dialogue.intents.calibration import calibration_error, temperature_of, threshold_curve
from ml.dialogue.intents.data import few, parted, read_csv
from ml.dialogue.intents.encoder import SentenceEncoder, multiplies_halves
from ml.dialogue.intents.fused import can_be_fused
from ml.dialogue.intents.labels import label_errors, out_of_fold
from ml.dialogue.intents.lexical import Lexicon, letters, words
from ml.dialogue.intents.linear import fit
from ml.dialogue.intents.model import IntentModel, tuned_signs
from ml.dialogue.intents.outside import Known, Sees, View, groups_of, signs_of
from ml.dialogue.intents.server import IntentServer
from ml.dialogue.intents.training import FEW, Plan, train
from ml.dialogue.intents.tuning import Recipe
from ml.dialogue.types import OUTSIDE, DialogueError, Example, Ranked, Reading
from ml.types import ModelUnavailable

SUBJECTS = {
    "lost_card": ["my card is gone", "I lost my card", "cannot find my card", "card disappeared yesterday"],
    "exchange_rate": ["what is the exchange rate", "rate for euros", "how are rates set", "which rate do I get abroad"],
    "change_pin": ["change my pin", "I want a new pin", "how to set another pin", "pin should be different"],
    "top_up": ["top up by transfer", "add money to my account", "how to top up", "top up did not arrive"],
    "close_account": ["close my account", "I want to leave the bank", "delete my account", "how do I close it"],
}
OPENINGS = ["", "hello, ", "please help: ", "hi there, ", "so, "]
EXAMPLES = [
    Example(opening + text, label) for label, texts in SUBJECTS.items() for text in texts for opening in OPENINGS
]
STRANGE = [
    "what is the weather", "tell me a joke", "who won the match", "recipe for soup", "my cat is ill", "sing a song",
    "how tall is the tower", "a film for tonight",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other take longer than so little work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two tiny layers with random weights, as any folder may hold one."""
    made = tmp_path_factory.mktemp("bert")
    words = {word.strip(",:") for example in EXAMPLES for word in example.text.lower().split()}
    letters = [f"{before}{letter}" for letter in string.ascii_lowercase for before in ("", "##")]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", ":", "?", *letters, *sorted(words - set(string.ascii_lowercase))]
    tokenizer = Tokenizer(models.WordPiece({piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(made / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        initializer_range=0.2,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(made)
    return made


PLAN = replace(
    FEW, tuned_layers=1, frozen_penalty=0.001, recipe=Recipe(epochs=3, batch=16, rate=1e-3, pull=0.5, group=2)
)


@pytest.fixture(scope="module")
def model(folder: Path) -> IntentModel:
    return train([*EXAMPLES, *(Example(text, OUTSIDE) for text in STRANGE)], PLAN, folder)


def test_it_learns_and_tells_what_is_out_of_scope(model: IntentModel) -> None:
    readings = model.read([example.text for example in EXAMPLES])
    right = [reading.best.intent == example.label for reading, example in zip(readings, EXAMPLES, strict=True)]
    assert sum(right) / len(right) >= 0.9
    assert all(abs(sum(each.probability for each in reading.ranked) - 1) < 1e-4 for reading in readings)
    near = [reading.outside for reading in readings]
    far = [reading.outside for reading in model.read([f"please, {text}" for text in STRANGE])]
    assert sum(far) / len(far) > sum(near) / len(near) + 0.3
    assert model.read([]) == []


def test_a_saved_model_reads_the_same_and_another_folder_is_refused(
    model: IntentModel, folder: Path, tmp_path: Path
) -> None:
    model.save(tmp_path)
    texts = ["card gone!", "weather?", "", "卡丢了"]
    before, after = model.read(texts), IntentModel.load(tmp_path, folder).read(texts)
    for one, other in zip(before, after, strict=True):
        assert [each.intent for each in one.ranked] == [each.intent for each in other.ranked]
        assert one.best.probability == pytest.approx(other.best.probability, abs=1e-5)
        assert one.outside == pytest.approx(other.outside, abs=1e-5)
    with pytest.raises(DialogueError):
        IntentModel.load(tmp_path / "nothing", folder)
    (tmp_path / "intents.safetensors").write_bytes(b"no weights")
    with pytest.raises(DialogueError):
        IntentModel.load(tmp_path, folder)


def test_a_model_of_before_still_tells_what_is_out_of_scope(model: IntentModel, folder: Path, tmp_path: Path) -> None:
    model.save(tmp_path)
    facts, tensors = json.loads((tmp_path / "intents.json").read_text()), load_file(tmp_path / "intents.safetensors")
    facts |= {"format": 1, "detector": [0.5, 0.6, True]}
    del facts["first"]
    old = {"mean": torch.zeros(12), "deviation": torch.ones(12), "weights": torch.linspace(-1, 1, 12)}
    tensors = {name: each for name, each in tensors.items() if not name.startswith(("detector.", "first."))}
    save_file(tensors | {f"detector.{name}": each for name, each in old.items()}, tmp_path / "intents.safetensors")
    (tmp_path / "intents.json").write_text(json.dumps(facts))
    loaded = IntentModel.load(tmp_path, folder)
    assert loaded.detector is not None and loaded.detector.sees is Sees.WORDS
    texts = ["card gone!", "weather?", "卡丢了"]
    parts, known = loaded.parts(texts), Known(loaded.known.sentences[:1], loaded.known.labels)
    signs = signs_of(View((parts.tuned / loaded.temperature, parts.lexical), (parts.tuned_sentences,)), known)
    wanted = torch.sigmoid(signs @ old["weights"] + 0.5)
    assert [each.outside for each in loaded.read(texts)] == pytest.approx(wanted.tolist(), abs=1e-4)


def test_the_untouched_encoder_is_asked_only_of_what_leaves_a_doubt(
    model: IntentModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*(example.text for example in EXAMPLES), *(f"please, {text}" for text in STRANGE)]
    assert model.detector is not None and model.detector.sees is Sees.BOTH
    whole, asked = model.outside(model.parts(texts)), list[int]()
    real = model.encoder.sentences

    def sentences(hidden: list[Any], *uppers: Any) -> Any:
        asked.extend(len(hidden) for upper in uppers if upper is model.encoder.upper)
        return real(hidden, *uppers)

    monkeypatch.setattr(model.encoder, "sentences", sentences)
    found = [reading.outside for reading in model.read(texts)]
    assert found == pytest.approx(whole.tolist(), abs=1e-4)
    assert 0 < sum(asked) < len(texts) // 2
    monkeypatch.undo()
    first, limit = model.detector.first, model.detector.threshold
    assert first is not None
    doubts = first.outside(tuned_signs(model.parts(texts), model.temperature, model.known)).tolist()
    assert all(far <= limit for far, doubt in zip(found, doubts, strict=True) if doubt < first.threshold)
    assert all(far > limit for far, doubt in zip(found, doubts, strict=True) if doubt > first.certain)


def test_a_text_reads_alike_alone_and_in_a_batch(model: IntentModel) -> None:
    texts = ["I lost it", "what is the exchange rate for a very long journey to many countries of the world", "pin"]
    for text, reading in zip(texts, model.read(texts), strict=True):
        assert model.read([text])[0].best.probability == pytest.approx(reading.best.probability, abs=1e-4)


def test_without_questions_out_of_scope_intents_are_left_out_in_turn(folder: Path) -> None:
    made = train(EXAMPLES, Plan(recipe=Recipe(epochs=1), tuned_layers=1), folder)
    assert made.detector is not None
    assert made.detector.sees is Sees.UNTOUCHED
    kept = [not reading.is_outside for reading in made.read([example.text for example in EXAMPLES])]
    assert sum(kept) / len(kept) >= 0.5


def test_training_can_be_stopped_and_needs_something_to_learn_from(folder: Path) -> None:
    class Stopped(Exception):
        pass

    def told(stage: str, share: float) -> None:
        if stage == "tune":
            raise Stopped

    with pytest.raises(Stopped):
        train(EXAMPLES, PLAN, folder, told)
    with pytest.raises(DialogueError):
        train(EXAMPLES[:4], PLAN, folder)
    with pytest.raises(ModelUnavailable):
        train(EXAMPLES, PLAN, folder / "tokenizer.json")


def test_the_shipped_encoder_knows_words_that_it_was_not_taught() -> None:
    """Meaning, not words: none of these questions shares a word with its intent's examples that others lack."""
    plan = Plan(recipe=Recipe(epochs=1, batch=20, rate=2e-5), tuned_layers=1)
    made = train(EXAMPLES, plan)
    asked = {
        "somebody took my wallet with the debit card": "lost_card",
        "secret code for the cash machine": "change_pin",
        "how much is one dollar in yen": "exchange_rate",
        "terminate my contract with you": "close_account",
    }
    for model in (made, made.halved()):
        readings = model.read(list(asked))
        assert [reading.best.intent for reading in readings] == list(asked.values())


def test_fused_layers_compute_what_the_layers_do(folder: Path) -> None:
    """Where this processor or build cannot fuse them, they are halved and called as they are."""
    encoder = SentenceEncoder(folder, 1)
    assert can_be_fused(encoder.upper[0]) >= multiplies_halves()
    texts = ["I lost my card", "pin", "how do I close my account and what happens to the money then?"]
    halved = encoder.halved()
    (exact,) = encoder.sentences(encoder.lower(texts), encoder.upper)
    (close,) = halved.sentences(halved.lower(texts), halved.upper)
    assert float((exact * close).sum(1).min()) > 0.999
    assert [len(each) for each in halved.lower(texts)] == [len(each) for each in encoder.tokens(texts)]


def test_words_and_letters_weigh_alike_whatever_their_number() -> None:
    """A feature's weight is its rarity by one and the logarithm of its count; words and letters have length 1 each."""
    lexicon = Lexicon.learn([example.text for example in EXAMPLES])
    texts = ["card card card and my card", "", "卡丢了", "lost my card, lost my pin"]
    rows = lexicon.encode(texts).to_dense()
    places = {feature: place for place, feature in enumerate(lexicon.features)}
    for text, row in zip(texts, rows, strict=True):
        for found in (list(words(text)), list(letters(text))):
            counts = Counter(places[each] for each in found if each in places)
            wanted = {place: (1 + math.log(count)) * lexicon.weights[place] for place, count in counts.items()}
            length = math.sqrt(sum(value * value for value in wanted.values()))
            for place, value in wanted.items():
                assert float(row[place]) == pytest.approx(value / length, abs=1e-6)
        known = {places[each] for each in (*words(text), *letters(text)) if each in places}
        assert set(row.nonzero().flatten().tolist()) == known
    assert lexicon.encode([]).shape == (0, len(lexicon))


def test_temperature_makes_confidence_mean_what_it_says() -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 5, (4000,))
    honest = torch.randn(4000, 5) + 2.0 * torch.nn.functional.one_hot(labels, 5)
    shown = 4.0 * honest
    temperature = temperature_of(shown[:2000], labels[:2000])
    before = calibration_error(shown[2000:].softmax(1), labels[2000:])
    after = calibration_error((shown[2000:] / temperature).softmax(1), labels[2000:])
    assert after < 0.03 < before
    confidence, guessed = (shown / temperature).softmax(1).max(1)
    curve = threshold_curve(confidence, guessed == labels)
    assert [point.wrong for point in curve] == sorted((point.wrong for point in curve), reverse=True)
    assert curve[0].handed_over == 0.0
    assert all(abs(point.answered + point.handed_over - 1) < 1e-6 for point in curve)


def test_wrong_labels_are_surfaced() -> None:
    """Of examples in clear groups one in nineteen is given another's label."""
    torch.manual_seed(1)
    truth = torch.arange(400) % 4
    features = torch.randn(400, 8) + 6.0 * torch.nn.functional.one_hot(truth, 8)
    given = truth.clone()
    spoiled = list(range(0, 400, 19))
    given[spoiled] = (truth[spoiled] + 1) % 4

    def judge(learned: list[int], judged: list[int]) -> torch.Tensor:
        return fit(features[learned], given[learned], 4, 1.0).scores(features[judged]).softmax(1)

    suspects = label_errors(out_of_fold(400, 5, judge), given)
    places = [suspect.place for suspect in suspects]
    assert len(set(places) & set(spoiled)) >= 20
    assert len(set(places) - set(spoiled)) <= 10
    assert all(suspect.suggested == int(truth[suspect.place]) for suspect in suspects if suspect.place in spoiled)


def test_groups_hold_intents_that_lie_near_each_other() -> None:
    means = torch.eye(6)
    means[1] = means[0] * 0.9 + 0.1 * means[1]
    means[3] = means[2] * 0.9 + 0.1 * means[3]
    groups = groups_of(means, torch.arange(6), 6, 4)
    assert [0, 1] in groups
    assert [2, 3] in groups


def test_parts_of_data_never_overlap_and_few_takes_so_many_of_each(tmp_path: Path) -> None:
    kept, held = parted(EXAMPLES, 0.2)
    assert set(kept) | set(held) == set(range(len(EXAMPLES)))
    assert not set(kept) & set(held)
    drawn = few([*EXAMPLES, Example("joke", OUTSIDE)], 3)
    assert len(drawn) == 3 * len(SUBJECTS) + 1
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("text,category\nhello,greet\n,greet\n", encoding="utf-8")
    with pytest.raises(DialogueError, match="line 3"):
        read_csv(wrong)


@pytest.mark.parametrize("marked", [True, False])
def test_the_bench_says_what_was_asked_for(folder: Path, tmp_path: Path, marked: bool) -> None:
    """With questions out of scope in the files, and with a split that it makes for itself."""
    strange = [Example(f"{opening}{text}", OUTSIDE) for text in STRANGE for opening in OPENINGS] if marked else []
    for name, part in (("train", slice(0, None, 2)), ("test", slice(1, None, 2))):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "category"])
            rows.writerows([example.text, example.label] for example in (EXAMPLES + strange)[part])
    files = ["--train", str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv"), "--encoder", str(folder)]
    made = tmp_path / "figures.json"
    assert bench_intents([*files, "--per-intent", "8", "--threads", "1", "--json", str(made)]) == 0
    result = json.loads(made.read_text(encoding="utf-8"))
    assert result["training"] == 8 * len(SUBJECTS) + len(strange) // 2
    assert set(result["accuracy"]) == {"lexical", "frozen", "tuned"}
    assert 0 <= result["calibration_error"] <= 1
    assert result["outside"]["out_of_scope"] > 0
    assert len(result["tables"][0]["rows"]) == 6
    assert bench_intents(["--train", str(tmp_path / "nothing.csv")]) == 2


class Slow:
    """Reads a text as its own length, and remembers how many came together; it waits for `go`."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()

    def read(self, texts: Sequence[str]) -> Sequence[Reading]:
        self.go.wait(10)
        self.batches.append(len(texts))
        if "bad" in texts:
            raise ValueError("this text cannot be read")
        return [Reading((Ranked(str(len(text)), 1.0),)) for text in texts]


def test_what_waits_is_read_together_and_a_bad_text_fails_alone() -> None:
    slow = Slow()
    server = IntentServer(slow, most=16)
    asked = [server.ask("a" * number) for number in range(40)]
    bad, cancelled = server.ask("bad"), server.ask("never")
    assert cancelled.cancel()
    slow.go.set()
    assert [future.result(10).best.intent for future in asked] == [str(number) for number in range(40)]
    with pytest.raises(ValueError, match="cannot be read"):
        bad.result(10)
    assert max(slow.batches) == 16
    assert len(slow.batches) < 30
    reading = asyncio.run(server.read("four"))
    assert reading.best.intent == "4"
    server.close()
    with pytest.raises(ModelUnavailable):
        server.ask("late")


class Meeting:
    """Answers once two batches are being read at the same time."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2)

    def read(self, texts: Sequence[str]) -> Sequence[Reading]:
        self.both.wait(60)
        return [Reading((Ranked(text, 1.0),)) for text in texts]


def test_several_threads_read_batches_of_their_own() -> None:
    server = IntentServer(Meeting(), most=1, threads=2)
    asked = [server.ask(str(number)) for number in range(6)]
    assert [future.result(60).best.intent for future in asked] == [str(number) for number in range(6)]
    server.close()
    with pytest.raises(ModelUnavailable):
        server.ask("late")
