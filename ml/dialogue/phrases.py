"""What the bot says by itself, beside its flows; a product may put its own in their place."""

from __future__ import annotations

from collections.abc import Mapping

from ml.dialogue.flows.model import Text

PHRASES: Mapping[str, Text] = {
    "which": Text({"en": "Which of these do you mean?", "zh": "请问您指的是哪一个？"}),
    "again": Text({"en": "I did not understand that.", "zh": "抱歉，我没有理解。"}),
    "back": Text({"en": "Back to: {title}.", "zh": "我们继续：{title}。"}),
    "cancelled": Text({"en": "All right, I have stopped that.", "zh": "好的，已经取消。"}),
    "corrected": Text({"en": "I have changed that to {value}.", "zh": "已改为 {value}。"}),
    "handed_over": Text({"en": "I am passing you to a colleague.", "zh": "我为您转接人工客服。"}),
    "busy": Text({"en": "One moment, I am still working on that.", "zh": "请稍等，正在处理中。"}),
    "unknown": Text(
        {
            "en": "I don't know that. If you want, a colleague takes over: write “talk to a person”.",
            "zh": "这个问题我不清楚。如有需要，请回复“转人工客服”。",
        }
    ),
    "person": Text({"en": "Talk to a person", "zh": "转人工客服"}),
}
