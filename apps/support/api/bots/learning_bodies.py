"""What is sent and what is answered about examples, training and models."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.fields import Flag, StrictSerializer, Text, WholeNumber
from apps.support.api.bots.bodies import JOB_STATUS, ResultBody
from apps.support.models import DialogueModel, ExampleSource, IntentExample, Method, TrainingRun, TurnRecord
from apps.webhooks.api.callbacks import CallbackFields


class GivenExample(StrictSerializer):
    text = Text(max_length=2_000)
    intent = Text(max_length=64, help_text="Its name, or oos for what no intent answers.")


class AddExamples(StrictSerializer):
    examples = GivenExample(many=True)


class AddedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["examples_added"])
    added = serializers.IntegerField()
    given = serializers.IntegerField()


class GivenSlot(StrictSerializer):
    slot = Text(max_length=64)
    start = WholeNumber(min_value=0, help_text="Where its words begin in the text, and end.")
    end = WholeNumber(min_value=1)


class SlotBody(serializers.Serializer[Any]):
    slot = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()


class ChangeExample(StrictSerializer):
    intent = Text(max_length=64)
    is_sure = Flag(default=True, help_text="Somebody has looked at it: it is not doubted again.")
    slots = GivenSlot(many=True, required=False, help_text="Parts that are values of slots; they replace all before.")


class IntentExampleBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["intent_example"])
    text = serializers.CharField()
    intent = serializers.CharField()
    is_test = serializers.BooleanField(help_text="Never learned from: models are measured on it.")
    is_sure = serializers.BooleanField()
    slots = SlotBody(many=True)
    source = serializers.ChoiceField(ExampleSource.values)  # type: ignore[assignment]
    created_at = serializers.DateTimeField()


class Train(CallbackFields):
    method = serializers.ChoiceField(Method.values, default=Method.HEAD.value)
    promotes = Flag(default=False, help_text="Goes live by itself if it is no worse and all stories pass.")


class ThresholdPoint(serializers.Serializer[Any]):
    threshold = serializers.FloatField()
    answered = serializers.FloatField()
    wrong = serializers.FloatField()
    handed_over = serializers.FloatField()


class StoriesBody(serializers.Serializer[Any]):
    flows = serializers.IntegerField(required=False)
    passed = serializers.IntegerField(required=False)
    failed = serializers.IntegerField(required=False)
    results = ResultBody(many=True, required=False)


class ReportBody(serializers.Serializer[Any]):
    questions = serializers.IntegerField()
    accuracy = serializers.FloatField()
    calibration_error = serializers.FloatField()
    kept = serializers.FloatField(help_text="Of questions in scope, the share that is answered.")
    wrong = serializers.FloatField(help_text="Of all questions, the share that is answered wrongly.")
    outside_answered = serializers.FloatField(allow_null=True)
    curve = ThresholdPoint(many=True)
    recall = serializers.DictField(child=serializers.ListField(child=serializers.FloatField()))
    confusions = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()))
    stories = StoriesBody()
    slots = serializers.DictField(
        required=False, help_text="Of marks in the test split: precision, recall, f1, wanted."
    )
    ranking = serializers.DictField(required=False, help_text="How many choices stories made, and whether it is kept.")


class DoubtBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    text = serializers.CharField()
    intent = serializers.CharField()
    suggested = serializers.CharField()
    doubt = serializers.FloatField()


class TrainingRunBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["training_run"])
    status = serializers.ChoiceField(JOB_STATUS)
    method = serializers.ChoiceField(Method.values)
    stage = serializers.CharField()
    progress = serializers.FloatField()
    dataset = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the examples that it learned from, without those that were erased.")
    erased = serializers.IntegerField(help_text="Examples that have left the data set with erased conversations.")
    error_code = serializers.CharField()
    report = ReportBody(allow_null=True)
    doubts = DoubtBody(many=True, help_text="Examples that probably bear the wrong intent.")
    created_at = serializers.DateTimeField()


class DialogueModelBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["dialogue_model"])
    number = serializers.IntegerField()
    is_live = serializers.BooleanField()
    run = serializers.UUIDField()
    sha256 = serializers.CharField()
    intents = serializers.ListField(child=serializers.CharField())
    slots = serializers.ListField(child=serializers.CharField(), help_text="Slots that it finds from marks.")
    ranks = serializers.BooleanField(
        help_text="It has learned from stories what comes first where rules leave that open."
    )
    accuracy = serializers.FloatField()
    erased = serializers.IntegerField(
        help_text="Examples that it has learned from or was measured on, and that were erased since: train anew."
    )
    created_at = serializers.DateTimeField()


class MarkIntent(StrictSerializer):
    intent = Text(max_length=64)


class TurnBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["bot_turn"])
    conversation = serializers.UUIDField()
    text = serializers.CharField()
    reading = serializers.DictField(child=serializers.FloatField(), help_text="The likeliest intents.")
    outcome = serializers.CharField()
    reason = serializers.CharField()
    corrected = serializers.CharField(help_text="What was meant, as an agent says.")
    created_at = serializers.DateTimeField()


def example_body(row: IntentExample) -> dict[str, Any]:
    names = "text intent is_test is_sure source created_at"
    marks = [{"slot": name, "start": start, "end": end} for name, start, end in row.slots]
    body = {"id": row.pk, "object": "intent_example", "slots": marks}
    return body | {name: getattr(row, name) for name in names.split()}


def run_body(row: TrainingRun) -> dict[str, Any]:
    names = "status method stage progress error_code doubts created_at"
    return {
        "id": row.pk,
        "object": "training_run",
        "dataset": row.dataset.number,
        "sha256": row.dataset.sha256,
        "erased": row.dataset.erased,
        "report": row.report or None,
    } | {name: getattr(row, name) for name in names.split()}


def model_body(row: DialogueModel, live_id: Any) -> dict[str, Any]:
    return {
        "object": "dialogue_model",
        "number": row.number,
        "is_live": row.pk == live_id,
        "run": row.run_id,
        "sha256": row.sha256,
        "intents": row.intents,
        "slots": row.slots,
        "ranks": row.ranks,
        "accuracy": row.run.report.get("accuracy", 0.0),
        "erased": row.run.dataset.erased,
        "created_at": row.created_at,
    }


def turn_body(row: TurnRecord) -> dict[str, Any]:
    names = "text reading outcome reason corrected created_at"
    return {"id": row.pk, "object": "bot_turn", "conversation": row.conversation_id} | {
        name: getattr(row, name) for name in names.split()
    }
