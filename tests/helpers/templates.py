"""A template as a member writes one."""

from typing import Any

from apps.studio.services.templates import TemplateFacts

VARIABLES: list[dict[str, Any]] = [
    {"name": "product", "label": "Product", "required": True, "most": 60},
    {"name": "points", "type": "list", "most": 5},
    {"name": "tone", "type": "choice", "choices": ["warm", "plain"], "default": "plain"},
]
PROMPT = """Write about {{ product }}.
{% if points %}
Mention:
{% for point in points %}
- {{ point }}
{% endfor %}
{% endif %}
Tone: {{ tone }}"""
FACTS = TemplateFacts(prompt=PROMPT, system="You write copy.", variables=VARIABLES)
