"""What templates show: money, numbers, times, icons, in both languages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django import forms
from django.utils import timezone, translation

from apps.core.templatetags import ui


@pytest.mark.parametrize(
    ("micros", "english", "chinese"),
    [
        (0, "$0.00", "US$0.00"),
        (133, "$0.000133", "US$0.000133"),
        (10_000, "$0.01", "US$0.01"),
        (1_234_567_890, "$1,234.57", "US$1,234.57"),
    ],
)
def test_money_is_exact_where_it_is_small(micros: int, english: str, chinese: str) -> None:
    with translation.override("en"):
        assert ui.money(micros) == english
    with translation.override("zh-hans"):
        assert ui.money(micros) == chinese


def test_an_unknown_currency_is_named() -> None:
    assert ui.money(2_000_000, "CHF") == "CHF 2.00"


def test_numbers_come_in_groups() -> None:
    assert [ui.grouped(value) for value in (None, 0, 999, 1_000_000)] == ["0", "0", "999", "1,000,000"]


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1, hours=2), "1 day ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_times_are_told_by_their_distance(back: timedelta, words: str) -> None:
    shown = ui.ago(timezone.now() - back)
    assert f">{words}</time>" in shown
    assert "datetime=" in shown and "title=" in shown


def test_a_distant_time_is_a_date() -> None:
    assert "ago" not in ui.ago(timezone.now() - timedelta(days=30))
    assert ui.ago(None) == ""


def test_an_icon_cannot_carry_markup() -> None:
    assert "<script>" not in ui.icon("<script>", '"><script>')


def test_a_control_gets_its_class() -> None:
    class Form(forms.Form):
        word = forms.CharField()
        text = forms.CharField(widget=forms.Textarea(attrs={"class": "textarea-tall"}))
        choice = forms.ChoiceField(choices=[("a", "A")])
        tick = forms.BooleanField()

    form = Form()
    assert 'class="input"' in ui.control(form["word"])
    assert 'class="textarea textarea-tall"' in ui.control(form["text"])
    assert 'class="select"' in ui.control(form["choice"])
    assert "class" not in ui.control(form["tick"])
