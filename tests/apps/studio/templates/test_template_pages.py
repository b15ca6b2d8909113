"""Pages of templates: the list, the library, writing with one, editing, versions and sharing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.studio.models import Generation, Template, TemplateVersion
from apps.studio.services import templates, voices
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant
from tests.helpers.studio import SUCCESS, finish, start
from tests.helpers.templates import FACTS, PROMPT

FILLED = {
    "v_product": "Tea",
    "v_points": "hot\ngreen",
    "v_tone": "warm",
    "voice": "own",
    "model": "default",
    "max_tokens": "60",
    "temperature": "0.8",
    "top_p": "0.95",
}
NO_ROWS = {"vars-TOTAL_FORMS": "0", "vars-INITIAL_FORMS": "0"}
VARIABLE = {
    "vars-TOTAL_FORMS": "1",
    "vars-INITIAL_FORMS": "0",
    "vars-0-name": "product",
    "vars-0-type": "text",
}
SignIn = Callable[[Any], Client]


@pytest.fixture
def client(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.member)


@pytest.fixture
def approver(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.admin)


def generations(tenant: Tenant) -> list[Generation]:
    with tenancy.scope(tenant.id):
        return list(Generation.objects.select_related("template_version", "voice_version").order_by("created_at"))


def test_an_empty_list_offers_the_library(client: Client, model: Any) -> None:
    page = client.get("/templates/").content.decode()
    assert "No templates yet" in page and "/templates/library/product-description/use/" in page
    answer = client.post("/templates/library/product-description/use/")
    assert answer["location"] == "/templates/product-description/"
    shown = client.get(answer["location"]).content.decode()
    assert 'name="v_product"' in shown and 'name="v_facts"' in shown


def test_the_library_speaks_the_language_of_the_page(client: Client) -> None:
    client.cookies["millrace_language"] = "zh-hans"
    assert "商品描述" in client.get("/templates/library/").content.decode()


def test_writing_with_a_template_records_what_it_was_made_from(
    org_a: Tenant, client: Client, copy: TemplateVersion, model: Any
) -> None:
    answer = client.post("/templates/copy/", FILLED)
    [written] = generations(org_a)
    assert answer["location"] == f"/templates/copy/?version=draft&text={written.pk}"
    assert written.messages[1]["content"] == "Write about Tea.\nMention:\n- hot\n- green\nTone: warm"
    assert (written.origin, written.template_version_id) == ("template", copy.pk)
    assert finish(start(), SUCCESS)
    page = client.get(answer["location"]).content.decode()
    assert "Tea, at last." in page and 'value="Tea"' in page


def test_a_text_is_called_by_the_first_of_its_values_in_the_prompt(
    org_a: Tenant, client: Client, member: Actor, model: Any
) -> None:
    variables = [{"name": "words", "type": "number"}, {"name": "product"}]
    facts = templates.TemplateFacts(prompt="Write about {{ product }} in {{ words }} words.", variables=variables)
    templates.create(member, "Short", facts)
    filled = {key: value for key, value in FILLED.items() if not key.startswith("v_")}
    client.post("/templates/short/", filled | {"v_words": "120", "v_product": "Green tea"})
    assert [each.title for each in generations(org_a)] == ["Green tea"]


def test_a_field_says_what_is_wrong_with_it(client: Client, copy: TemplateVersion, model: Any) -> None:
    answer = client.post("/templates/copy/", FILLED | {"v_product": ""}, headers={"accept": "application/json"})
    assert answer.status_code == 422 and list(answer.json()["errors"]) == ["v_product"]
    answer = client.post("/templates/copy/", FILLED | {"v_points": "1\n2\n3\n4\n5\n6"})
    assert answer.status_code == 422 and "This may have 5 entries." in answer.content.decode()


def test_a_file_is_read_as_text(org_a: Tenant, client: Client, member: Actor, model: Any) -> None:
    variables = [{"name": "notes", "type": "file", "many": True, "required": True}]
    prompt = "{% for note in notes %}\n{{ note.name }}: {{ note.text }}\n{% endfor %}"
    templates.create(member, "Notes", templates.TemplateFacts(prompt=prompt, variables=variables))
    shared = {key: value for key, value in FILLED.items() if not key.startswith("v_")}
    files = [SimpleUploadedFile("a.txt", b"First. {{ x }}"), SimpleUploadedFile("b.md", "第二".encode("gb18030"))]
    client.post("/templates/notes/", shared | {"v_notes": files})
    [written] = generations(org_a)
    assert written.messages[0]["content"] == "a.txt: First. {{ x }}\nb.md: 第二"
    refused = client.post("/templates/notes/", shared | {"v_notes": SimpleUploadedFile("a.exe", b"MZ")})
    assert refused.status_code == 422 and "send .txt, .md, .csv, .html, .docx or .pdf" in refused.content.decode()


def test_violations_of_the_voice_are_marked_in_the_text(
    org_a: Tenant, client: Client, member: Actor, copy: TemplateVersion, model: Any
) -> None:
    voices.create(member, "House", {"banned": ["at last"], "required": ["Darjeeling"]})
    client.post("/templates/copy/", FILLED | {"voice": "house"})
    [written] = generations(org_a)
    assert written.voice_version is not None
    finish(start(), SUCCESS)
    page = client.get(f"/templates/copy/?text={written.pk}").content.decode()
    assert "at last<sup>1</sup></mark>" in page
    assert "“at last” is a banned term." in page and "“Darjeeling” is missing." in page


def test_creating_and_editing_make_versions(client: Client, org_a: Tenant) -> None:
    rows = {
        "vars-TOTAL_FORMS": "1",
        "vars-INITIAL_FORMS": "0",
        "vars-0-name": "product",
        "vars-0-type": "text",
        "vars-0-required": "on",
    }
    first = {"name": "Advert", "prompt": "Sell {{ product }}."} | rows
    assert client.post("/templates/new/", first)["location"] == "/templates/advert/"
    edited = first | {"vars-INITIAL_FORMS": "1"}
    preview = client.post("/templates/advert/edit/", edited | {"prompt": "Buy {{ product }}!", "preview": "1"})
    assert "Buy ‹Product›!" in preview.content.decode()
    client.post("/templates/advert/edit/", edited | {"prompt": "Buy {{ product }}!", "note": "livelier"})
    with tenancy.scope(org_a.id):
        template = Template.objects.get(slug="advert")
        assert list(template.versions.order_by("number").values_list("prompt", flat=True)) == [
            "Sell {{ product }}.",
            "Buy {{ product }}!",
        ]
    diff = client.get("/templates/advert/diff/").content.decode()
    assert "<del>Sell {{ product }}.</del>" in diff and "<ins>Buy {{ product }}!</ins>" in diff


def test_what_is_wrong_with_a_prompt_is_said_at_the_prompt(client: Client) -> None:
    answer = client.post("/templates/new/", {"name": "X", "prompt": "Sell {{ nothing."} | NO_ROWS)
    assert answer.status_code == 422
    assert answer.context["form"].errors["prompt"] and not answer.context["new_names"]


def test_names_that_the_prompt_uses_become_rows_to_look_through(client: Client, org_a: Tenant) -> None:
    prompt = "Sell {{ product }} to {{ reader }}{% for point in points %}, {{ point }}{% endfor %}."
    page = client.post("/templates/new/", {"name": "Advert", "prompt": prompt} | NO_ROWS)
    assert page.status_code == 422 and "The prompt has new variables: product, reader, points." in page.content.decode()
    rows = page.context["rows"]
    assert [row["name"].value() for row in rows] == ["product", "reader", "points"]
    again = {"name": "Advert", "prompt": prompt, "vars-TOTAL_FORMS": "3", "vars-INITIAL_FORMS": "0"}
    for number, row in enumerate(rows):
        again |= {f"vars-{number}-name": row["name"].value(), f"vars-{number}-type": row["type"].value()}
    assert client.post("/templates/new/", again | {"vars-2-type": "list"})["location"] == "/templates/advert/"
    with tenancy.scope(org_a.id):
        version = Template.objects.get(slug="advert").versions.get()
    assert [(each.name, each.type) for each in version.fields] == [
        ("product", "text"),
        ("reader", "text"),
        ("points", "list"),
    ]


def test_a_preview_takes_new_names_along(client: Client) -> None:
    answer = client.post("/templates/new/", {"name": "X", "prompt": "Sell {{ tea }}.", "preview": "1"} | NO_ROWS)
    assert answer.status_code == 200 and answer.context["preview"] == "Sell ‹Tea›."
    assert "The prompt has new variables: tea." in answer.content.decode()


def test_approving_and_production_go_by_the_versions_page(
    client: Client, approver: Client, copy: TemplateVersion, member: Actor
) -> None:
    act = "/templates/copy/versions/act/"
    assert client.post(act, {"act": "approve", "version": "1"}).status_code == 403
    refused = approver.post(act, {"act": "label", "label": "production", "version": "1"}, follow=True)
    assert "Only an approved version goes into production." in refused.content.decode()
    approver.post(act, {"act": "approve", "version": "1"})
    approver.post(act, {"act": "label", "label": "production", "version": "1"})
    assert templates.version_of(member, "copy").number == 1


def test_archiving_offers_undo_which_brings_it_back(client: Client, copy: TemplateVersion, member: Actor) -> None:
    page = client.post("/templates/copy/archive/", follow=True).content.decode()
    assert 'action="/templates/copy/archive/"' in page and 'name="undo"' in page
    assert "/templates/copy/" in client.get("/templates/?archived=1").content.decode()
    client.post("/templates/copy/archive/", {"undo": "1"})
    assert templates.get(member, "copy").archived_at is None


@pytest.mark.parametrize("rows", [3, 300])
def test_pages_ask_few_questions_however_much_there_is(
    org_a: Tenant, client: Client, member: Actor, rows: int, model: Any
) -> None:
    first = templates.create(member, "Copy", FACTS)
    with tenancy.scope(org_a.id):
        Template.objects.bulk_create(
            Template(organization_id=org_a.id, slug=f"t{n}", name=f"T {n}", latest=1) for n in range(rows)
        )
        TemplateVersion.objects.bulk_create(
            TemplateVersion(organization_id=org_a.id, template=first.template, number=n + 2, prompt=PROMPT)
            for n in range(rows)
        )
        Template.objects.filter(pk=first.template_id).update(latest=rows + 1)
    client.get("/templates/copy/")
    paths = ("", "copy/", "copy/versions/", "copy/diff/", "copy/edit/", "library/", "library/faq/")
    counts = {path: questions_of(client, f"/templates/{path}") for path in paths}
    assert all(count <= 12 for count in counts.values()), counts


def test_others_find_nothing(
    client_of: SignIn, org_b: Tenant, outsider: Any, copy: TemplateVersion, model: Any
) -> None:
    for person in (org_b.owner, outsider):
        stranger = client_of(person)
        for path in ("/templates/copy/", "/templates/copy/edit/", "/templates/copy/versions/", "/templates/copy/diff/"):
            assert stranger.get(path).status_code == 404
        assert stranger.post("/templates/copy/", FILLED).status_code == 404
        assert stranger.post("/templates/copy/archive/").status_code == 404
    assert "Copy" not in client_of(org_b.owner).get("/templates/").content.decode().split('id="main"')[1]


def _edited(client: Client, *examples: dict[str, str], **more: str) -> Any:
    """Posts the editor's form of `copy` with these examples in the place of those that it shows."""
    page = client.get("/templates/copy/edit/")
    form, rows, shown = (page.context[name] for name in ("form", "rows", "examples"))
    fields = [field for part in (form, *rows.forms) for field in part]
    body = {field.html_name: field.value() for field in fields if field.value() not in (None, False)}
    body |= {"vars-TOTAL_FORMS": str(len(rows.forms)), "vars-INITIAL_FORMS": str(rows.initial_form_count())}
    body |= {"examples-TOTAL_FORMS": str(len(examples)), "examples-INITIAL_FORMS": str(shown.initial_form_count())}
    for number, example in enumerate(examples):
        body |= {f"examples-{number}-{name}": value for name, value in example.items()}
    return client.post("/templates/copy/edit/", body | more)


def test_examples_are_written_changed_and_taken_out_on_the_page(
    org_a: Tenant, client: Client, copy: TemplateVersion, model: Any
) -> None:
    tea, milk = {"v_product": "Tea", "v_points": "hot\r\ngreen"}, {"v_product": "Milk", "v_tone": "warm"}
    assert _edited(client, tea, milk, {"v_product": "", "v_tone": ""}).status_code == 302
    written = [{"product": "Tea", "points": ["hot", "green"]}, {"product": "Milk", "tone": "warm"}]
    with tenancy.scope(org_a.id):
        assert TemplateVersion.objects.get(number=2).examples == written
    assert 'value="Milk"' in client.get("/templates/copy/?example=1").text
    assert _edited(client, tea, milk).status_code == 302
    with tenancy.scope(org_a.id):
        assert TemplateVersion.objects.count() == 2, "what is as it was makes no version"
    assert _edited(client, tea | {"DELETE": "on"}, milk | {"v_tone": "plain"}).status_code == 302
    with tenancy.scope(org_a.id):
        assert TemplateVersion.objects.get(number=3).examples == [{"product": "Milk", "tone": "plain"}]


def test_an_example_that_does_not_fit_is_told_at_its_field(client: Client, copy: TemplateVersion, model: Any) -> None:
    answer = _edited(client, {"v_product": ""}, {"v_product": "x" * 61})
    assert answer.status_code == 422
    assert answer.context["examples"].forms[1].errors == {"v_product": ["This may have 60 characters."]}
    answer = _edited(client, *({"v_product": str(number)} for number in range(11)))
    assert (answer.status_code, "A template has at most 10 examples." in answer.text) == (422, True)


def test_a_form_without_examples_leaves_them_as_they_are(
    client: Client, member: Actor, model: Any, org_a: Tenant
) -> None:
    facts = replace(FACTS, examples=[{"product": "Tea"}])
    templates.create(member, "Copy", facts)
    client.post("/templates/copy/edit/", {"name": "Copy", "prompt": "New {{ product }}.", **VARIABLE})
    with tenancy.scope(org_a.id):
        assert TemplateVersion.objects.get(number=2).examples == [{"product": "Tea"}]


def test_the_editor_keeps_sampling_that_only_programs_set(org_a: Tenant, client: Client, model: Any) -> None:
    sampling = {"temperature": 0.5, "top_k": 7, "stop": ["END"], "repetition_penalty": 1.2}
    facts = replace(FACTS, variables=[], prompt="Tea.", sampling=sampling)
    templates.create(org_a.actor, "Tea", facts)
    form = client.get("/templates/tea/edit/").context["form"]
    values = {name: form[name].value() or "" for name in form.fields} | {"prompt": "More tea.", "temperature": "0.7"}
    assert client.post("/templates/tea/edit/", values | NO_ROWS).status_code == 302
    saved = templates.get_version(org_a.actor, "tea")
    assert (saved.number, saved.prompt, saved.sampling) == (2, "More tea.", sampling | {"temperature": 0.7})


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k", "repetition_penalty", "min_tokens"])
def test_no_number_is_too_large_to_be_refused(org_a: Tenant, model: Any, name: str) -> None:
    body = {"name": "Tea", "prompt": "Tea.", "sampling": {name: 10**400}}
    answer = Client().post("/api/v1/templates", body, content_type="application/json", headers=org_a.bearer)
    assert answer.status_code in {400, 422}, answer.content
