"""Data in a customer's words: amounts, dates, numbers with check digits, and what a trained tagger finds."""

from ml.dialogue.entities.finding import find_entities
from ml.dialogue.entities.tagger import Annotated, Mark, Tagger, TaggingScore, score_of

__all__ = ["Annotated", "Mark", "Tagger", "TaggingScore", "find_entities", "score_of"]
