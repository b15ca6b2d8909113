"""Templates: versions that stay, labels with approval, who sees what, and what a model is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from apps.accounts import services as accounts
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.studio import services as studio
from apps.studio.errors import ApprovalRequired, LabelNotSet, OwnVersion, TemplateInvalid, VariableInvalid
from apps.studio.models import TemplateVersion
from apps.studio.services import templates, voices
from tests.helpers.people import Tenant, acting, add_person, audit_of, events_of, member_of
from tests.helpers.templates import FACTS

SECOND = replace(FACTS, prompt="Describe {{ product }}. {{ tone }} {{ points }}")


def test_rendering_puts_values_in_and_records_where_it_comes_from(
    member: Actor, copy: TemplateVersion, model: Any
) -> None:
    rendered = templates.render(member, "copy@draft", {"product": "Tea {{ tone }}", "points": ["hot", "green"]})
    assert [message.role for message in rendered.messages] == ["system", "user"]
    assert rendered.messages[0].content == "You write copy."
    assert rendered.messages[1].content == "Write about Tea {{ tone }}.\nMention:\n- hot\n- green\nTone: plain"
    generation = studio.request_generation(member, rendered.spec(seed=7))
    assert (generation.origin, generation.template_version_id, generation.seed) == ("template", copy.pk, 7)
    assert generation.variables == {"product": "Tea {{ tone }}", "points": ["hot", "green"], "tone": "plain"}


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({}, "variables.product"),
        ({"product": "x" * 61}, "variables.product"),
        ({"product": "Tea", "points": ["1", "2", "3", "4", "5", "6"]}, "variables.points"),
        ({"product": "Tea", "tone": "loud"}, "variables.tone"),
        ({"product": "Tea", "colour": "red"}, "variables.colour"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(
    member: Actor, copy: TemplateVersion, values: dict[str, Any], param: str
) -> None:
    with pytest.raises(VariableInvalid) as refusal:
        templates.render(member, "copy@draft", values)
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": "{{ nobody }}"}, "prompt"),
        ({"system": "{% if product %}"}, "system"),
        ({"variables": [{"name": "product"}, {"name": "product"}]}, "variables.product"),
        ({"variables": [{"name": "Product"}]}, "variables.Product"),
        ({"examples": [{"product": "x" * 61}]}, "examples.0.product"),
        ({"sampling": {"temperature": 9}}, "sampling.temperature"),
        ({"sampling": {"temperature": "hot"}}, "sampling"),
        ({"limits": {"words": 3}}, "limits.words"),
    ],
)
def test_a_template_that_cannot_work_is_refused_where_it_is_wrong(
    member: Actor, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(TemplateInvalid) as refusal:
        templates.create(member, "Copy", replace(FACTS, **changes))
    assert refusal.value.param == param


def test_an_edit_is_a_new_version_and_the_old_one_stays(org_a: Tenant, member: Actor, copy: TemplateVersion) -> None:
    second = templates.add_version(member, "copy", SECOND, note="shorter")
    assert (second.number, second.note) == (2, "shorter")
    assert templates.add_version(member, "copy", SECOND).number == 2
    assert templates.get_version(member, "copy", 1).prompt == FACTS.prompt
    assert templates.restore_version(member, "copy", 1).prompt == FACTS.prompt
    assert templates.get(member, "copy").latest == 3
    assert [entry.detail["number"] for entry in audit_of(org_a, "template.version_added")] == [2, 3]
    assert events_of(org_a).count("template.version_added") == 2


def test_the_database_lets_nobody_change_a_version(org_a: Tenant, copy: TemplateVersion) -> None:
    for statement in (
        "UPDATE studio_templateversion SET prompt = 'x'",
        "DELETE FROM studio_templateversion",
        "UPDATE studio_brandvoiceversion SET content = '{}'",
        "DELETE FROM studio_templateapproval",
    ):
        with pytest.raises(ProgrammingError), tenancy.scope(org_a.id), transaction.atomic():
            connection.cursor().execute(statement)
    with tenancy.scope(org_a.id):
        assert TemplateVersion.objects.filter(pk=copy.pk).update(created_by=None) == 1


def test_only_an_approved_version_goes_into_production(admin: Actor, member: Actor, copy: TemplateVersion) -> None:
    with pytest.raises(LabelNotSet):
        templates.render(member, "copy", {"product": "Tea"})
    with pytest.raises(PermissionDenied):
        templates.approve(member, "copy", 1)
    with pytest.raises(ApprovalRequired):
        templates.move_label(admin, "copy", "production", 1)
    templates.approve(admin, "copy", 1)
    templates.move_label(admin, "copy", "production", 1)
    templates.add_version(member, "copy", SECOND)
    assert templates.render(member, "copy", {"product": "Tea"}).version.number == 1
    assert templates.render(member, "copy@draft", {"product": "Tea"}).version.number == 2


def test_with_four_eyes_nobody_approves_what_they_wrote(org_a: Tenant, admin: Actor, copy: TemplateVersion) -> None:
    templates.change_settings(org_a.actor, four_eyes=True)
    templates.add_version(admin, "copy", SECOND)
    with pytest.raises(OwnVersion):
        templates.approve(admin, "copy", 2)
    with pytest.raises(OwnVersion):
        templates.approve(replace(org_a.actor, user_id=None), "copy", 2)
    assert templates.approve(org_a.actor, "copy", 2).version.number == 2
    owners_key = accounts.actor_of_key(accounts.admit_api_key(org_a.key, "127.0.0.1"))
    templates.add_version(owners_key, "copy", replace(SECOND, prompt="By key: {{ product }}"))
    with pytest.raises(OwnVersion):
        templates.approve(org_a.actor, "copy", 3)
    with pytest.raises(PermissionDenied):
        templates.change_settings(acting(org_a, org_a.member), four_eyes=False)


def test_rolling_back_calls_the_version_before(admin: Actor, member: Actor, copy: TemplateVersion) -> None:
    templates.add_version(member, "copy", SECOND)
    for number in (1, 2):
        templates.approve(admin, "copy", number)
        templates.move_label(admin, "copy", "production", number)
    assert templates.roll_back(admin, "copy").version.number == 1
    assert templates.render(member, "copy", {"product": "Tea"}).version.number == 1
    assert templates.roll_back(admin, "copy").version.number == 2
    with pytest.raises(LabelNotSet):
        templates.roll_back(member, "copy", "mine")


def test_own_labels_are_the_writers_to_move(org_a: Tenant, member: Actor, copy: TemplateVersion) -> None:
    templates.move_label(member, "copy", "spring-campaign", 1)
    assert templates.render(member, "copy@spring-campaign", {"product": "Tea"}).version.number == 1
    templates.remove_label(member, "copy", "spring-campaign")
    with pytest.raises(LabelNotSet):
        templates.render(member, "copy@spring-campaign", {"product": "Tea"})
    with pytest.raises(Conflict):
        templates.move_label(member, "copy", "draft", 1)
    assert len(audit_of(org_a, "template.label_moved")) == 1


def test_a_template_of_a_team_is_seen_by_the_team_its_author_and_who_approves(
    org_a: Tenant, member: Actor, admin: Actor, copy: TemplateVersion
) -> None:
    ana, ben = (acting(org_a, add_person(org_a, name)) for name in ("ana", "ben"))
    team = accounts.create_team(admin, "Copywriters")
    accounts.add_to_team(admin, team.pk, member_of(org_a, org_a.member.__class__.objects.get(pk=ana.user_id)).pk)
    templates.share(member, "copy", "teams", [team.pk])
    for actor in (ana, member, admin):
        assert templates.get(actor, "copy").name == "Copy"
    program = Actor(org_a.id, frozenset({"templates:read", "templates:write"}))
    templates.create(program, "Made by a program", FACTS)
    templates.share(program, "made-by-a-program", "teams", [team.pk])
    with pytest.raises(NotFound):
        templates.get(program, "made-by-a-program")
    for reference in ("copy@draft", copy.pk, str(copy.pk)):
        with pytest.raises(NotFound):
            templates.render(ben, reference, {"product": "Tea"})
    templates.share(member, "copy", "organization")
    assert templates.get(ben, "copy").name == "Copy"


def test_another_organization_finds_nothing(org_a: Tenant, org_b: Tenant, copy: TemplateVersion) -> None:
    for reference in ("copy@draft", "copy@1", copy.pk):
        with pytest.raises(NotFound):
            templates.render(org_b.actor, reference, {"product": "Tea"})
    assert templates.create(org_b.actor, "Copy", FACTS).template.slug == "copy"


def test_what_is_archived_writes_no_more_until_it_is_taken_back(member: Actor, copy: TemplateVersion) -> None:
    templates.archive(member, "copy")
    with pytest.raises(Exception, match="archived"):
        templates.render(member, "copy@draft", {"product": "Tea"})
    templates.restore(member, "copy")
    assert templates.render(member, "copy@draft", {"product": "Tea"}).version.number == 1


def test_the_voice_of_the_template_or_of_the_run_is_told(member: Actor) -> None:
    voices.create(member, "House", {"words": ["dry"], "banned": ["cheap"]})
    voices.create(member, "Loud", {"tone": {"energy": 5}})
    templates.create(member, "Copy", replace(FACTS, voice="house"))
    own = templates.render(member, "copy@draft", {"product": "Tea"})
    assert "dry" in own.messages[0].content and own.messages[0].content.endswith("You write copy.")
    assert own.voice_version is not None and own.voice_version.voice.slug == "house"
    loud = templates.render(member, "copy@draft", {"product": "Tea"}, voice="loud")
    assert "full of energy" in loud.messages[0].content
    assert templates.render(member, "copy@draft", {"product": "Tea"}, voice="").voice_version is None
    with pytest.raises(NotFound):
        templates.render(member, "copy@draft", {"product": "Tea"}, voice="nobody")
    voices.archive(member, "house")
    assert templates.render(member, "copy@draft", {"product": "Tea"}).voice_version is None


def test_slugs_are_made_from_names_and_never_twice(member: Actor) -> None:
    assert templates.create(member, "Blog  outline", FACTS).template.slug == "blog-outline"
    assert templates.create(member, "Blog outline", FACTS).template.slug == "blog-outline-2"
    assert templates.create(member, "博客大纲", FACTS).template.slug.startswith("template-")
    with pytest.raises(Conflict):
        templates.create(member, "Other", FACTS, slug="blog-outline")
