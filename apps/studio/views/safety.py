"""Pages of safety rules: what is looked for, a text to try them on, and classifiers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.studio.marks import parts_of, words_of
from apps.studio.models import SafetyClassifier
from apps.studio.safety_forms import ExamplesForm, ListFormSet, RulesForm, TestForm, initial_of
from apps.studio.services import safety
from ml.safety import Finding, Originals, Side, mask, strongest

CLASSIFIERS_SHOWN = 25


@require_http_methods(["GET", "POST"])
@organization_page
def rules(request: HttpRequest) -> HttpResponse:
    """The rules in force; saved, they are a new version for every prompt from then on."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(safety.MANAGE)
    current = safety.current_policy()
    initial, lists = initial_of(safety.Rules.read(current.rules) if current else None)
    form = RulesForm(request.POST or None, initial=initial)
    terms = ListFormSet(request.POST or None, initial=lists, prefix="lists")
    if request.method == "POST" and form.is_valid() and terms.is_valid():
        wanted = form.rules([found for one in terms if (found := one.rules()) is not None])
        if attempt(form, lambda: safety.change_policy(actor, wanted)):
            messages.success(request, _("The safety rules have been saved."))
            return redirect("safety")
    return _page(request, form, terms, TestForm(), status=first_errors([form, *terms]))


@require_POST
@organization_page
def test(request: HttpRequest) -> HttpResponse:
    """What the rules in force find in a pasted text, as a prompt and as an output."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(safety.MANAGE)
    current = safety.current_policy()
    initial, lists = initial_of(safety.Rules.read(current.rules) if current else None)
    trying, tried = TestForm(request.POST), []
    if trying.is_valid() and current is not None:
        text = trying.cleaned_data["text"]
        sides: tuple[tuple[str, Side], ...] = ((_("As a prompt"), "prompt"), (_("As an output"), "output"))
        tried = [(label, _shown(text, safety.try_text(actor, text, side))) for label, side in sides]
    forms = RulesForm(initial=initial), ListFormSet(initial=lists, prefix="lists")
    return _page(request, *forms, trying, tried=tried, has_tried=True, status=first_errors([trying]))


@require_http_methods(["GET", "POST"])
@organization_page
def classifiers(request: HttpRequest) -> HttpResponse:
    """Classifiers in their versions with what was measured, and the examples for another one."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(safety.MANAGE)
    form = ExamplesForm(request.POST, request.FILES) if request.method == "POST" else ExamplesForm()
    if form.is_valid() and attempt(form, lambda: _train(actor, form)):
        messages.success(request, _("The classifier is being trained; that takes up to a minute."))
        return redirect("safety-classifiers")
    rows = SafetyClassifier.objects.order_by("-number").defer("weights", "examples")[:CLASSIFIERS_SHOWN]
    context = {"form": form, "classifiers": rows}
    return render(request, "studio/safety/classifiers.html", context, status=first_errors([form]))


def _train(actor: Any, form: ExamplesForm) -> None:
    examples = safety.read_examples(form.examples_text())
    safety.train_classifier(actor, form.cleaned_data["name"], examples)


def _shown(text: str, found: list[Finding]) -> dict[str, Any]:
    """What a side's findings come to: refused, or the text as it would go on, with each place marked."""
    refused = strongest(found) == "block"
    result = mask(text, found, Originals())
    shown, findings = (text, found) if refused else (result.text, result.findings)
    plain = [asdict(each) for each in findings]
    return {
        "refused": refused,
        "parts": parts_of(shown, plain),
        "words": list(dict.fromkeys(words_of(each) for each in plain)),
    }


def _page(request: HttpRequest, form: Any, lists: Any, trying: Any, status: int = 200, **more: Any) -> HttpResponse:
    context = {"form": form, "lists": lists, "trying": trying, "policy": safety.current_policy(), **more}
    return render(request, "studio/safety/rules.html", context, status=status)
