"""What a bank's bot must never keep to itself: wishes for a person, fraud and complaints, known by their words alone.

A model may misread them, so that words decide first; intents that a bank has marked decide as well.
"""

from __future__ import annotations

import re

HUMAN, FRAUD, COMPLAINT = "human", "fraud", "complaint"
_PERSON = (
    r"(?:human|(?:real |live |actual )?person|(?:live |human |real |support )?agent|representative|advis[eo]r"
    r"|(?:customer )?(?:support|service) (?:agent|rep|person|representative|team)|operator|somebody|someone"
    r"|staff member"
    r"|employee|your (?:staff|team)|customer services?)"
)
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (
            FRAUD,
            r"\bfraud(?:ulent(?:ly)?|sters?)?\b|\bscam(?:med|mers?|s)?\b|\bphish(?:ed|ing)\b|\bidentity theft\b"
            r"|\b(?:been|got|was|is|were) hacked\b|\bhacked (?:into )?(?:my|our)\b|\bstole (?:my|our) money\b"
            r"|\bsomeone (?:else )?(?:has |is |was )?(?:using|used|took|accessed|stealing) my (?:card|account|money)\b"
            r"|\bunauthori[sz]ed (?:transaction|payment|charge|access|transfer)s?\b|\bmoney laundering\b"
            r"|诈骗|欺诈|被骗|盗刷|骗子|电信诈骗|账户被盗|冒用",
        ),
        (
            COMPLAINT,
            r"\bcomplain(?:t|ts|ing|ed)?\b|\bombudsman\b|\b(?:my|a) (?:lawyer|solicitor|attorney)\b"
            r"|\bsue (?:you|the bank)\b|\blegal action\b|\bregulator\b|投诉|申诉|银保监|起诉|律师",
        ),
        (
            HUMAN,
            rf"\b(?:speak|talk|chat|connect(?: me)?|transfer me|put me through|pass me|get me|need|want|give me"
            rf"|contact)\b(?: \w+){{0,4}}? (?:to |with |through to )?(?:an? |the |some )?{_PERSON}\b"
            rf"|^\s*(?:an? )?(?:human|agent|person|operator|representative|real person)(?: please)?\s*[.!?]*\s*$"
            rf"|\b(?:real|live|actual) (?:human|person|agent)\b|\bnot a (?:ro)?bot\b"
            r"|\bhuman (?:please|now|help|support)\b"
            r"|人工|真人|转接客服|找客服|联系客服|客服人员|和人说|跟人说",
        ),
    )
)
# No wish: these speak of the same without asking for it.
_NOT = re.compile(
    r"\b(?:do not|don'?t|no need to) (?:want|need|have) (?:to )?(?:speak|talk|a human|an agent|a person|complain)"
    r"|\bsend (?:money|it|a payment|\S+) to (?:some(?:one|body)|an? person)\b",
    re.IGNORECASE,
)


def duty_of(text: str) -> str:
    """The reason to hand over at once, or nothing."""
    for reason, pattern in _RULES:
        if pattern.search(text) and not (reason != FRAUD and _NOT.search(text)):
            return reason
    return ""
