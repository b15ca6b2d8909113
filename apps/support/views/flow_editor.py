"""The flow editor: flows, slots, steps and answers as forms, each change a version of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.accounts.organization_forms import first_errors
from apps.core.errors import MillraceError
from apps.support.access_bot import READ, WRITE
from apps.support.errors_bot import FlowsInvalid
from apps.support.forms_flows import AnswerForm, FlowForm, SlotForm, StepForm
from apps.support.models import FlowApproval, FlowVersion
from apps.support.services import flows
from apps.support.services.flows import editing
from ml.dialogue.flows import Problem

# What is amiss where somebody else has written a version, as `save_version` calls it.
MEANWHILE = "newest"
PARTS: Mapping[str, type[forms.Form]] = {"step": StepForm, "slot": SlotForm, "answer": AnswerForm, "flow": FlowForm}


@require_http_methods(["GET", "POST"])
@organization_page
def steps_page(request: HttpRequest, number: int) -> HttpResponse:
    """Everything of a version as forms; a change is a new draft, so that the version that is live is never touched."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    version = flows.get_version(actor, number)
    given = _given(request)
    problems: Sequence[Problem] = []
    newest = _number_of(request.POST.get("newest", ""))
    if given is not None and given.form.is_valid():
        made: list[FlowVersion] = []
        problems, saved = tried(given.form, lambda: made.append(_changed(actor, version, given, newest)))
        if saved:
            messages.success(request, _("The change is in a new draft."))
            return redirect("flow-steps", made[0].number)
    if newest is None or (given is not None and given.form.has_error(NON_FIELD_ERRORS, code=MEANWHILE)):
        # Nothing was seen before, or who presses again has now been told.
        newest = flows.newest_number(actor)
    context = {
        "version": version, "standing": standing_of(version), "problems": {each.message: None for each in problems},
        "given": given, "newest": newest, "may_write": WRITE in actor.permissions, "tab": "flows",
        **_Page(given).of(editing.plain(version.text), get_language() or "en"),
    }  # fmt: skip
    return render(request, "support/bot/steps.html", context, status=first_errors([given.form] if given else []))


# ---------------------------------------------------------------- what was sent


@dataclass(frozen=True, slots=True)
class _Given:
    """A form that was sent; `key` says of which step, slot, answer or flow, empty for a new one."""

    part: str
    key: str
    form: forms.Form


def _given(request: HttpRequest) -> _Given | None:
    if request.method != "POST":
        return None
    part = request.POST.get("part", "step")
    form = PARTS.get(part, StepForm)(request.POST)
    if part == "step":
        key = request.POST.get("path", "")
    else:
        key = request.POST.get("before", "")
    return _Given(part, f"{request.POST.get('flow', '')}/{key}" if part == "slot" else key, form)


def _number_of(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _changed(actor: Actor, version: FlowVersion, given: _Given, newest: int | None) -> FlowVersion:
    file = editing.plain(version.text)
    _CHANGES.get(given.part, _change_step)(file, given.form.cleaned_data)
    return flows.save_version(actor, editing.written(file), version.stories, version.note, newest)


def _change_step(file: dict[str, Any], values: dict[str, Any]) -> None:
    path, act, kind, value = (values[name] for name in ("path", "act", "kind", "value"))
    more = {"with": values["inputs"], "save": values["outputs"]}
    if act == "save":
        editing.set_step(file, path, kind, value, more)
    elif act == "remove":
        editing.remove_step(file, path)
    elif act in {"up", "down"}:
        editing.move_step(file, path, -1 if act == "up" else 1)
    else:
        editing.add_step(file, path if act == "add" else f"{path}/{act}", kind, value, more)


def _change_slot(file: dict[str, Any], values: dict[str, Any]) -> None:
    if values["act"] == "remove":
        editing.remove_slot(file, values["flow"], values["before"])
    elif values["before"]:
        editing.set_slot(file, values["flow"], values["before"], values)
    else:
        editing.add_slot(file, values["flow"], values["name"], values)


def _change_answer(file: dict[str, Any], values: dict[str, Any]) -> None:
    if values["act"] == "remove":
        editing.remove_answer(file, values["before"])
    elif values["before"]:
        editing.set_answer(file, values["before"], values["text"])
    else:
        editing.add_answer(file, values["intent"], values["text"])


def _change_flow(file: dict[str, Any], values: dict[str, Any]) -> None:
    if values["act"] == "remove":
        editing.remove_flow(file, values["before"])
    elif values["before"]:
        editing.set_flow(file, values["before"], values["title"], values["intents"])
    else:
        editing.add_flow(file, values["name"], values["title"], values["intents"])


_CHANGES: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "step": _change_step,
    "slot": _change_slot,
    "answer": _change_answer,
    "flow": _change_flow,
}


# ---------------------------------------------------------------- what is shown


@dataclass(slots=True)
class _Page:
    """Forms with what stands in the file, and the one that was sent with what was typed."""

    given: _Given | None
    _numbers: Iterator[int] = field(default_factory=count)

    def of(self, file: Mapping[str, Any], language: str) -> dict[str, Any]:
        return {
            "flows": [self._flow(each) for each in editing.shown(file, language)],
            "answers": [
                {"shown": each, "form": self._form("answer", each.intent, {"before": each.intent, "text": each.text})}
                for each in editing.answers_shown(file, language)
            ],
            "new_answer": self._form("answer", "", {}),
            "new_flow": self._form("flow", "", {}),
        }

    def _flow(self, flow: editing.FlowShown) -> dict[str, Any]:
        initial = {"before": flow.name, "title": flow.title, "intents": ", ".join(flow.intents)}
        return {
            "shown": flow,
            "form": self._form("flow", flow.name, initial),
            "slots": [(slot, self._slot(flow.name, slot)) for slot in flow.slots],
            "new_slot": self._form("slot", f"{flow.name}/", {"flow": flow.name}),
            "steps": [(step, self._step(step)) for step in flow.steps],
        }

    def _slot(self, flow: str, slot: editing.SlotShown) -> forms.Form:
        return self._form("slot", f"{flow}/{slot.name}", {"flow": flow, "before": slot.name, **slot.facts})

    def _step(self, step: editing.Step) -> forms.Form:
        initial = {"path": step.path, "kind": step.kind, "value": step.value}
        initial |= {"inputs": step.more.get("with", ""), "outputs": step.more.get("save", "")}
        return self._form("step", step.path, initial)

    def _form(self, part: str, key: str, initial: Mapping[str, Any]) -> forms.Form:
        found = self.given
        sent = found is not None and (found.part, found.key) == (part, key)
        form = found.form if found is not None and sent else PARTS[part](initial=dict(initial))
        form.auto_id = f"{part}{next(self._numbers)}-%s"
        if key.rpartition("/")[2]:
            # What has a name keeps it.
            for name in {"name", "intent"} & form.fields.keys():
                del form.fields[name]
        return form


def tried(form: forms.Form, call: Callable[[], Any]) -> tuple[Sequence[Problem], bool]:
    """What is wrong with flows, line by line; everything else stands at its field."""
    try:
        call()
    except FlowsInvalid as error:
        at = error.param if error.param in form.fields else None
        form.add_error(at, _("There are faults in it, listed below."))
        return error.problems, False
    except MillraceError as error:
        if error.status == 404:
            raise
        at = error.param if error.param in form.fields else None
        form.add_error(at, forms.ValidationError(error.shown(), code=error.param))
        return [], False
    return [], True


def standing_of(version: FlowVersion) -> str:
    [(_version, standing)] = with_standing(version.organization_id, [version])
    return standing


def with_standing(organization_id: UUID, versions: Iterable[FlowVersion]) -> list[tuple[FlowVersion, str]]:
    """Each with whether it is live, approved or a draft."""
    rows = list(versions)
    live = flows.settings_of(organization_id).flows_id
    approved: set[object] = set(FlowApproval.objects.filter(version__in=rows).values_list("version_id", flat=True))
    return [(each, str(flows.standing_of(each, live, approved))) for each in rows]
