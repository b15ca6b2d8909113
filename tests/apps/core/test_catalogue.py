"""Messages are found where gettext would look them up, and no translation is lost when sources change."""

from pathlib import Path
from typing import Any

import polib
import pytest
from django.core.management import CommandError, call_command

from apps.core.catalogue import (
    CatalogueError,
    Message,
    collect,
    from_python,
    from_script,
    from_template,
    problems,
    update,
)

TEMPLATE = """{% load i18n %}
{% translate "Save 50%" %} {% translate 'Close' context "menu" %} {{ _("Inline") }} {# {% translate "No" %} #}
{% blocktranslate trimmed count n=total %}
    {{ n }} token
{% plural %}
    {{ n }} tokens
{% endblocktranslate %}
{% blocktranslate with name=user.name context "greeting" %}Hello "{{ name }}"{% endblocktranslate %}
"""


def test_templates_give_the_keys_that_their_tags_look_up() -> None:
    assert list(from_template(TEMPLATE)) == [
        Message("Save 50%%"),
        Message("Close", context="menu"),
        Message("Inline"),
        Message("%(n)s token", "%(n)s tokens"),
        Message('Hello "%(name)s"', context="greeting"),
    ]


def test_python_and_scripts_give_their_calls() -> None:
    python = 'a = _("One " "line"); b = ngettext("key", "keys", n); c = pgettext_lazy("menu", "Open"); d = _(variable)'
    assert set(from_python(python)) == {Message("One line"), Message("key", "keys"), Message("Open", context="menu")}
    assert list(from_script("show(gettext(\"It's copied\")); object._('no')")) == [Message("It's copied")]


def test_an_f_string_is_refused_with_its_place() -> None:
    with pytest.raises(CatalogueError, match=r"views\.py:2"):
        list(from_python('\n_(f"Hello {name}")', "views.py"))


def test_collect_names_every_file(tmp_path: Path) -> None:
    for name, text in {
        "apps/x/views.py": '_("Both")',
        "apps/x/migrations/0001.py": '_("Never")',
        "templates/x/a.html": '{% load i18n %}{% translate "Both" %}',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert collect(tmp_path) == {Message("Both"): ["apps/x/views.py", "templates/x/a.html"]}


def test_a_translation_survives_while_its_message_is_away() -> None:
    catalogue = polib.POFile()
    kept, gone = {Message("Kept"): ["a.py"]}, {Message("Away"): ["b.py"]}
    update(catalogue, kept | gone)
    for entry in catalogue:
        entry.msgstr = f"{entry.msgid} 译"
    assert problems(catalogue, kept | gone) == []
    update(catalogue, kept)
    assert problems(catalogue, kept) == []
    reread = polib.pofile(str(catalogue))
    update(reread, kept | gone)
    assert {entry.msgid: entry.msgstr for entry in reread} == {"Kept": "Kept 译", "Away": "Away 译"}
    assert problems(reread, kept | gone) == []


def test_problems_name_what_is_missing_unused_untranslated_and_malformed() -> None:
    catalogue = polib.POFile()
    update(catalogue, {Message("Unused"): ["a"], Message("Empty"): ["a"], Message("%(n)s left"): ["a"]})
    for entry in catalogue:
        entry.msgstr = {"Empty": "", "Unused": "x"}.get(entry.msgid, "还剩")
    found = problems(catalogue, {Message("Empty"): ["a"], Message("%(n)s left"): ["a"], Message("New"): ["b.html"]})
    assert found == [
        "missing: 'New' (b.html)",
        "no longer used: 'Unused'",
        "not translated: 'Empty' (a)",
        "other placeholders than the original: '%(n)s left'",
    ]


def test_a_catalogue_that_is_wrapped_otherwise_is_found_and_collecting_alone_changes_no_line(
    settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path("zh_Hans/LC_MESSAGES/django.po")
    ours, copy = Path(settings.LOCALE_PATHS[0]) / place, tmp_path / place
    copy.parent.mkdir(parents=True)
    copy.write_bytes(ours.read_bytes())
    settings.LOCALE_PATHS = [str(tmp_path)]
    call_command("translations", "collect")
    collected = copy.read_bytes()
    call_command("translations", "collect")
    assert copy.read_bytes() == collected
    polib.pofile(str(copy)).save(str(copy))
    assert copy.read_bytes() != collected
    with pytest.raises(CommandError):
        call_command("translations", "check")
    assert "not wrapped" in capsys.readouterr().out
    call_command("translations", "collect")
    assert copy.read_bytes() == collected
