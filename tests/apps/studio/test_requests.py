"""What may be asked of a model, value by value, without a database."""

from typing import Any

import pytest

from apps.core.errors import InvalidRequest
from apps.studio.requests import MAX_MESSAGES, MAX_SEED, GenerationSpec, checked
from ml.types import Message, SamplingParams

HELLO = (Message("user", "Hello"),)


def chat(**sampling: Any) -> GenerationSpec:
    return GenerationSpec(messages=HELLO, sampling=SamplingParams(**sampling))


def said(*contents: str, role: Any = "user") -> GenerationSpec:
    return GenerationSpec(messages=tuple(Message(role, content) for content in contents))


ALLOWED = {
    "a chat": chat(),
    "a completion": GenerationSpec(prompt="Once"),
    "greedy": chat(temperature=0),
    "hottest": chat(temperature=2),
    "narrow": chat(top_p=0.0001, top_k=1),
    "filters off": chat(top_p=1, top_k=0),
    "penalty": chat(repetition_penalty=0.1),
    "largest seed": chat(seed=MAX_SEED),
    "smallest seed": chat(seed=-MAX_SEED),
    "four stops": chat(stop=("a", "\n", "。", "x" * 100)),
    "one token": GenerationSpec(messages=HELLO, max_tokens=1),
    "any script": said("Grüße 你好 🎉 \u200b"),
    "an empty turn among others": said("Hello", ""),
    "many turns": said(*["x"] * MAX_MESSAGES),
}
REFUSED = {
    "nothing": (GenerationSpec(), "messages"),
    "both": (GenerationSpec(messages=HELLO, prompt="Once"), "messages"),
    "empty prompt": (GenerationSpec(prompt=""), "prompt"),
    "blank prompt": (GenerationSpec(prompt=" \n\t\u3000"), "prompt"),
    "NUL in prompt": (GenerationSpec(prompt="a\0b"), "prompt"),
    "surrogate in prompt": (GenerationSpec(prompt="\ud800"), "prompt"),
    "blank messages": (said(" ", "\n"), "messages"),
    "NUL in message": (said("ok", "a\0b"), "messages.1.content"),
    "surrogate in message": (said("\udfff"), "messages.0.content"),
    "unknown role": (said("x", role="tool"), "messages.0.role"),
    "too many turns": (said(*["x"] * (MAX_MESSAGES + 1)), "messages"),
    "negative temperature": (chat(temperature=-0.01), "temperature"),
    "too hot": (chat(temperature=2.01), "temperature"),
    "NaN": (chat(temperature=float("nan")), "temperature"),
    "infinity": (chat(temperature=float("inf")), "temperature"),
    "top_p zero": (chat(top_p=0), "top_p"),
    "top_p above one": (chat(top_p=1.1), "top_p"),
    "top_p NaN": (chat(top_p=float("nan")), "top_p"),
    "negative top_k": (chat(top_k=-1), "top_k"),
    "huge top_k": (chat(top_k=10**9), "top_k"),
    "penalty zero": (chat(repetition_penalty=0), "repetition_penalty"),
    "penalty infinite": (chat(repetition_penalty=float("inf")), "repetition_penalty"),
    "seed beyond 63 bits": (chat(seed=MAX_SEED + 1), "seed"),
    "five stops": (chat(stop=("a", "b", "c", "d", "e")), "stop"),
    "empty stop": (chat(stop=("",)), "stop"),
    "long stop": (chat(stop=("x" * 101,)), "stop"),
    "NUL in stop": (chat(stop=("a\0",)), "stop"),
    "no tokens": (GenerationSpec(messages=HELLO, max_tokens=0), "max_tokens"),
    "negative tokens": (GenerationSpec(messages=HELLO, max_tokens=-5), "max_tokens"),
    "a billion tokens": (GenerationSpec(messages=HELLO, max_tokens=10**9), "max_tokens"),
}


@pytest.mark.parametrize("spec", ALLOWED.values(), ids=ALLOWED.keys())
def test_allowed(spec: GenerationSpec) -> None:
    taken = checked(spec)
    assert taken.sampling.seed is not None
    assert (taken.messages, taken.prompt, taken.max_tokens) == (spec.messages, spec.prompt, spec.max_tokens)


@pytest.mark.parametrize(("spec", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_the_name_of_what_is_wrong(spec: GenerationSpec, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(spec)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_a_missing_seed_is_drawn_and_a_given_one_is_kept() -> None:
    assert len({checked(chat()).sampling.seed for _ in range(5)}) == 5
    assert checked(chat(seed=0)).sampling.seed == 0
