"""A policy finds, masks and puts back; what is not configured changes nothing."""

from ml.safety import Length, Originals, Policy, Scored, TermList, check, mask, put_back, strongest
from ml.safety.checks import Ruled

TEXT = "Mail ann@example.com or bob@example.com, and ann@example.com again about Project Falcon."


def everything(**changes: object) -> Policy:
    facts = {
        "lists": (Ruled(TermList("names", ("project falcon",)), "block", "mark"),),
        "personal": frozenset({"email"}),
        "personal_prompt": "mask",
        "personal_output": "mark",
    }
    return Policy(**{**facts, **changes})  # type: ignore[arg-type]


def test_each_finding_names_its_rule_and_place() -> None:
    findings = check(everything(), TEXT, "prompt")
    assert [(each.rule, each.name, each.action, TEXT[each.start : each.end]) for each in findings] == [
        ("personal", "email", "mask", "ann@example.com"),
        ("personal", "email", "mask", "bob@example.com"),
        ("personal", "email", "mask", "ann@example.com"),
        ("terms", "names", "block", "Project Falcon"),
    ]
    assert strongest(findings) == "block"
    assert [each.action for each in check(everything(), TEXT, "output")] == ["mark"] * 4


def test_masked_texts_share_placeholders_and_come_back_whole() -> None:
    policy, originals = everything(lists=()), Originals()
    first = mask(TEXT, check(policy, TEXT, "prompt"), originals)
    assert first.text.startswith("Mail [EMAIL_1] or [EMAIL_2], and [EMAIL_1] again")
    assert [first.text[each.start : each.end] for each in first.findings] == ["[EMAIL_1]", "[EMAIL_2]", "[EMAIL_1]"]
    other = "bob@example.com wrote"
    assert mask(other, check(policy, other, "prompt"), originals).text == "[EMAIL_2] wrote"
    assert put_back(first.text, originals.by_placeholder) == TEXT


def test_a_placeholder_that_somebody_typed_stands_for_nothing() -> None:
    policy, originals = everything(lists=()), Originals()
    text = "[EMAIL_1] is ann@example.com"
    originals.reserve(text)
    masked = mask(text, check(policy, text, "prompt"), originals).text
    assert masked == "[EMAIL_1] is [EMAIL_2]"
    assert put_back(masked, originals.by_placeholder) == text


def test_marks_keep_their_places_behind_masks() -> None:
    policy = everything(lists=(Ruled(TermList("names", ("project falcon",)), "mark", "mark"),))
    masked = mask(TEXT, check(policy, TEXT, "prompt"), Originals())
    [marked] = [each for each in masked.findings if each.rule == "terms"]
    assert masked.text[marked.start : marked.end] == "Project Falcon"


def test_length_blocks_or_cuts_off() -> None:
    assert strongest(check(Policy(prompt_length=Length(5)), "123456", "prompt")) == "block"
    assert check(Policy(prompt_length=Length(6)), "123456", "prompt") == []
    cut = Policy(output_length=Length(5, "mask"))
    assert mask("123456", check(cut, "123456", "output"), Originals()).text == "12345"


def test_a_score_counts_from_its_threshold_on() -> None:
    policy = Policy(classifier=Scored(0.8, "block", "mark"))
    assert check(policy, "x", "prompt", 0.79) == []
    assert check(policy, "x", "prompt", None) == []
    [found] = check(policy, "x", "output", 0.8)
    assert (found.rule, found.name, found.action) == ("classifier", "0.80", "mark")


def test_a_text_is_held_back_exactly_where_it_may_be_another_in_the_end() -> None:
    assert not Policy().changes_output() and not everything().changes_output()
    assert everything(restores=True).changes_output()
    assert everything(personal_output="mask").changes_output()
    assert Policy(classifier=Scored(0.5, output="block")).changes_output()
    assert Policy(output_length=Length(9, "mask")).changes_output()
    assert Policy(lists=(Ruled(TermList("a", ("b",)), output="block"),)).changes_output()
    assert Policy().is_empty("prompt") and not everything().is_empty("output")
