"""The language of prompts: what it writes, that no value is ever read as template, and that nothing runs away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.text import prompts
from ml.text.prompts import PromptError, Source, Value, parse


def render(source: str, **values: Value) -> str:
    return parse(source).render(values)


@pytest.mark.parametrize(
    ("source", "values", "text"),
    [
        ("Hello {{ name }}!", {"name": "Ann"}, "Hello Ann!"),
        ("Hello {{ nobody }}!", {}, "Hello !"),
        ("{% if a %}A{% else %}B{% endif %}", {"a": "x"}, "A"),
        ("{% if a %}A{% else %}B{% endif %}", {"a": "  "}, "B"),
        ("{% if not a %}none{% endif %}", {"a": ()}, "none"),
        ('{% if n == "x" %}X{% endif %}{% if n != "x" %}other{% endif %}', {"n": "y"}, "other"),
        ("{% for p in ps %}{{ loop.index }}.{{ p }} {% endfor %}", {"ps": ("a", "b")}, "1.a 2.b"),
        ("{{ ps }}", {"ps": ("a", "b")}, "a, b"),
        ("{{ f.name }}: {{ f.text }}{{ f }}", {"f": Source("n", "t")}, "n: tt"),
        ('{{ "{{" }} x }}', {}, "{{ x }}"),
        ("a{# not {{ this }} #}b", {}, "ab"),
        ("{% for a in x %}{% for b in y %}{{ a }}{{ b }};{% endfor %}{% endfor %}", {"x": "1", "y": ("2", "3")},
         "12;13;"),
    ],
)  # fmt: skip
def test_what_is_written(source: str, values: dict[str, Value], text: str) -> None:
    assert render(source, **values) == text


def test_lines_of_tags_alone_leave_no_line() -> None:
    source = "One\n{% if a %}\n  two\n{% endif %}\n{# note #}\n\nthree {% if a %}four{% endif %}\n"
    assert render(source, a="x") == "One\n  two\n\nthree four"


@given(st.text(), st.text())
def test_no_value_reaches_the_language(first: str, second: str) -> None:
    """Whatever two values hold, they stand side by side as they are."""
    nodes = parse("[{{ a }}|{{ b }}]")
    assert nodes.render({"a": first, "b": second, "c": "secret"}) == f"[{first}|{second}]"
    assert "secret" not in nodes.render({"a": "{{ c }}", "b": "{% if c %}{{ c }}{% endif %}", "c": "secret"})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ a", "not closed"),
        ("{% if a %}", "no “endif”"),
        ("{% for a in b %}", "no “endfor”"),
        ("{% endif %}", "where nothing can end"),
        ("{% for a in b %}{% else %}{% endfor %}", "where nothing can end"),
        ("{{ a() }}", "not understood"),
        ("{{ a.b }}", "“name” and “text”"),
        ("{{ a | upper }}", "not understood"),
        ("{% import x %}", "not understood"),
        ("{{ loop.index }}", "inside of one"),
        ("{% for if in b %}{% endfor %}", "a word of the language"),
        ("x\n\n{{ 1 }}", "Line 3"),
        ("{% if a %}" * 7 + "{% endif %}" * 7, "deep"),
        ("x" * 20_001, "at most"),
    ],
)
def test_what_cannot_be_read_says_where(source: str, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        parse(source)


def test_loops_in_loops_end() -> None:
    values: dict[str, Value] = {"a": ("x",) * 50}
    nested = "{% for b in a %}{% for c in a %}{% for d in a %}{{ d }}{% endfor %}{% endfor %}{% endfor %}"
    with pytest.raises(PromptError, match="too long"):
        parse(nested).render(values)
    with pytest.raises(PromptError, match="characters"):
        parse("{% for b in a %}{{ t }}{% endfor %}").render(values | {"t": "x" * 20_000})


@pytest.mark.parametrize("bit", ["{{", "{%", "{#", "{% if a %}", '{{ "', '{% if a == "', "{{ a b }}"])
def test_the_longest_hostile_template_is_refused(bit: str) -> None:
    with pytest.raises(PromptError):
        parse((bit * prompts.MAX_TEMPLATE_CHARS)[: prompts.MAX_TEMPLATE_CHARS])


def test_names_are_those_of_the_template_and_not_of_its_loops() -> None:
    assert parse("{{ a }}{% for b in c %}{{ b }}{{ d.text }}{% endfor %}{% if e %}{% endif %}").names() == set("acde")
