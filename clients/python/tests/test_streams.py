"""Streams go on behind the last event seen, whatever happens to their connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from millrace import AsyncMillrace, ConnectionFailed, Delta, Done, Millrace, Reset, Status, TextRestarted, codes
from millrace.sse import Decoder
from scripted_server import Answer, Asked, Server

STATUS = b'event: status\ndata: {"status": "running", "queue_position": null}\n\n'
PING = b": ping\n\n"
WORDS = ["Tea", " is", " warm", " in\u2028", " 茶", "."]


def delta(number: int) -> bytes:
    text = json.dumps({"text": WORDS[number]}, ensure_ascii=False)
    return f"id: 1-{number + 1}\nevent: delta\ndata: {text}\n\n".encode()


def done(status: str = "succeeded") -> bytes:
    body = json.dumps({"id": "g1", "status": status, "text": "".join(WORDS)}, ensure_ascii=False)
    return f"id: 1-{len(WORDS) + 1}\nevent: done\ndata: {body}\n\n".encode()


def whole() -> bytes:
    return STATUS + PING + b"".join(map(delta, range(len(WORDS)))) + done()


def test_events_come_out_the_same_wherever_their_bytes_are_cut() -> None:
    for text in (
        whole(),
        whole().replace(b"\n", b"\r\n"),
        whole().replace(b"\n", b"\r") + b"\n",
        b"\xef\xbb\xbf" + whole(),
    ):
        expected = Decoder().feed(text)
        assert "".join(json.loads(event.data)["text"] for event in expected if event.name == "delta") == "".join(WORDS)
        for cut in range(len(text)):
            decoder = Decoder()
            assert decoder.feed(text[:cut]) + decoder.feed(text[cut:]) == expected
        one_by_one = Decoder()
        assert [event for byte in text for event in one_by_one.feed(bytes([byte]))] == expected


def test_the_format_is_read_to_the_letter() -> None:
    decoder = Decoder()
    text = b"data:a\ndata: b\ndata\nunknown: x\nretry: 1500\nretry: soon\n\n"
    text += b"id: 7\n\nevent: e\n\nid: 8\0\ndata: c\n\ndata: half"
    assert [(event.name, event.data, event.id) for event in decoder.feed(text)] == [
        ("message", "a\nb\n", ""),
        ("message", "c", ""),
    ]
    assert (decoder.retry, decoder.last_id) == (1.5, "7")


def test_a_text_survives_every_kind_of_break(server: Server, client: Millrace, failure: Callable[..., Answer]) -> None:
    half = delta(3)
    server.script(
        Answer(cut=True),
        Answer(parts=[STATUS, delta(0), delta(1)], cut=True),
        failure(503, "service_unavailable", retry=True),
        # Cut in the middle of an event, which must not count as seen.
        Answer(parts=[STATUS, delta(2), half[:-5]], cut=True),
        # An orderly end without the last event, as a server does that restarts.
        Answer(parts=[STATUS, delta(3)]),
        Answer(parts=[delta(4), b'event: error\ndata: {"error": {"code": "internal_error", "message": "x"}}\n\n']),
        Answer(parts=[STATUS, PING, delta(5), done()]),
    )
    with client.follow_generation("g1") as stream:
        assert "".join(stream) == stream.text == "".join(WORDS)
        assert stream.generation is not None and stream.generation["status"] == "succeeded"
    seen = [asked.headers.get("last-event-id") for asked in server.asked]
    assert seen == [None, None, "1-2", "1-2", "1-3", "1-4", "1-5"]
    assert {asked.target for asked in server.asked} == {"/api/v1/generations/g1/stream"}


async def test_so_it_does_in_an_event_loop(server: Server, aclient: AsyncMillrace) -> None:
    server.script(
        Answer(202, {"id": "g1"}),
        Answer(parts=[STATUS, delta(0), delta(1)], cut=True),
        Answer(parts=[STATUS, *map(delta, range(2, 6)), done()]),
    )
    async with await aclient.stream(prompt="Tea.") as stream:
        assert "".join([piece async for piece in stream]) == "".join(WORDS)
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, None, "1-2"]


def test_a_stream_begins_where_it_is_told(server: Server, client: Millrace) -> None:
    server.script(Answer(parts=[delta(2)], cut=True), Answer(parts=[delta(3), done()]))
    with client.follow_generation("g1", after="1-2") as stream:
        assert stream.result()["status"] == "succeeded"
        assert stream.last_id == "1-7"
    assert [asked.target.partition("?")[2] for asked in server.asked] == ["after=1-2", ""]
    assert server.asked[1].headers["last-event-id"] == "1-3"


def test_a_lost_right_ends_the_stream(server: Server, client: Millrace, failure: Callable[..., Answer]) -> None:
    refusal = b'event: error\ndata: {"error": {"code": "access_revoked", "message": "Removed."}}\n\n'
    server.script(Answer(parts=[delta(0), refusal]))
    with pytest.raises(codes.AccessRevoked):
        client.follow_generation("g1").result()
    server.script(failure(404, "not_found"))
    with pytest.raises(codes.NotFound):
        client.follow_generation("g2").result()
    assert len(server.asked) == 2


def test_a_server_that_never_goes_on_is_given_up(server: Server, client: Millrace) -> None:
    server.script(Answer(parts=[delta(0)], cut=True), Answer(parts=[STATUS], cut=True))
    with pytest.raises(ConnectionFailed):
        client.follow_generation("g1").result()
    assert len(server.asked) == 1 + 4 - 1


def test_a_text_that_begins_anew_is_told(server: Server, client: Millrace) -> None:
    answer = Answer(parts=[STATUS, delta(0), b"id: 2-0\nevent: reset\ndata: {}\n\n", delta(1), done()])
    server.script(answer)
    with client.follow_generation("g1") as stream:
        kinds = [type(each) for each in stream.events()]
        assert kinds == [Status, Delta, Reset, Delta, Done]
        assert stream.text == WORDS[1]
    with client.follow_generation("g1") as stream, pytest.raises(TextRestarted):
        list(stream)


def test_a_stream_without_ids_is_not_taken_up_again(server: Server, client: Millrace) -> None:
    chunk = b'data: {"choices": []}\n\n'
    question: Any = {"model": "default", "messages": [{"role": "user", "content": "Tea."}]}
    server.script(Answer(cut=True), Answer(parts=[chunk, PING, chunk, b"data: [DONE]\n\n"]))
    with client.create_chat_completion_events(**question) as stream:
        assert [event.json() for event in stream] == [{"choices": []}] * 2
    assert [asked.json() for asked in server.asked] == [{**question, "stream": True}] * 2
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    server.script(Answer(parts=[chunk], cut=True))
    with pytest.raises(ConnectionFailed):
        list(client.create_chat_completion_events(**question))
    server.script(Answer(parts=[chunk, b'data: {"error": {"code": "service_unavailable", "message": "x"}}\n\n']))
    with pytest.raises(codes.ServiceUnavailable):
        list(client.create_chat_completion_events(**question))
    assert len(server.asked) == 4


def test_events_of_the_organization_are_followed_without_gap(server: Server, client: Millrace) -> None:
    def event(number: int, type: str = "team.created") -> bytes:
        body = json.dumps({"object": "event", "sequence": number, "type": type, "data": {}})
        return f"id: {number}\nevent: {type}\ndata: {body}\n\n".encode()

    def behind(asked: Asked) -> Answer:
        last = int(asked.headers["last-event-id"])
        return Answer(parts=[PING, *(event(number) for number in range(last + 1, last + 4))], cut=True)

    # A position without an event: the connection may break before the first one.
    server.script(Answer(parts=[b"id: 40\n\n"], cut=True), behind)
    found = []
    with client.follow_events("team.*", "licence.issued", after="latest") as stream:
        for each in stream:
            found.append(each.json()["sequence"])
            if len(found) == 10:
                break
    assert found == list(range(41, 51))
    assert server.asked[0].target == "/api/v1/events/stream?type=team.%2A%2Clicence.issued&after=latest"
    assert server.asked[1].target == "/api/v1/events/stream?type=team.%2A%2Clicence.issued"
