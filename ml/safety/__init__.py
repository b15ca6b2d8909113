"""Checks of what goes into a model and of what comes out: blocked terms, personal data, length, an own classifier.

Plain arithmetic over text, without a database: a `Policy` and a text give `Finding`s, and masked texts.
"""

from ml.safety.checks import ACTIONS, Action, Finding, Length, Policy, Scored, Side, check, strongest
from ml.safety.masking import Masked, Originals, mask, put_back
from ml.safety.personal import KINDS
from ml.safety.terms import TermList

__all__ = [
    "ACTIONS",
    "KINDS",
    "Action",
    "Finding",
    "Length",
    "Masked",
    "Originals",
    "Policy",
    "Scored",
    "Side",
    "TermList",
    "check",
    "mask",
    "put_back",
    "strongest",
]
