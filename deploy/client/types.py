"""Python's types for the schema's: a TypedDict for each object, in a module for each tag."""

from __future__ import annotations

import keyword
import re
import textwrap
from typing import Any

from deploy.client.schema import Operation, Schema, SchemaError

PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
PAGE = {"object", "data", "has_more", "next"}
SHARED = "shared"


def module_of(tag: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", tag.lower()).strip("_")


def python_name(name: str) -> str:
    """A parameter's name as Python takes it: `from_` for `from`."""
    found = re.sub(r"\W", "_", name)
    return f"{found}_" if keyword.iskeyword(found) else found


class Types:
    """The schema's components as Python types; `prefix` stands before their names outside of their own package."""

    def __init__(self, schema: Schema, operations: list[Operation]) -> None:
        self.components: dict[str, Schema] = schema["components"]["schemas"]
        self.modules = self._modules(operations)

    def expression(self, schema: Schema, prefix: str = "") -> str:
        """The type's annotation."""
        parts: list[str] = []
        for part in self._parts(schema, prefix):
            if part not in parts:
                parts.append(part)
        if "None" in parts:
            parts.remove("None")
            parts.append("None")
        return "Any" if "Any" in parts else " | ".join(parts)

    def _parts(self, schema: Schema, prefix: str) -> list[str]:
        if "$ref" in schema:
            return [self._reference(schema["$ref"].rpartition("/")[2], prefix)]
        if "enum" in schema:
            return self._literal(schema["enum"])
        if "const" in schema:
            return self._literal([schema["const"]])
        for choice in ("oneOf", "anyOf"):
            if choice in schema and "properties" not in schema:
                return [part for item in schema[choice] for part in self._parts(item, prefix)]
        if "allOf" in schema and len(schema["allOf"]) == 1:
            return self._parts(schema["allOf"][0], prefix)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return [self._kind(kind, schema, prefix) for kind in kinds] or ["Any"]

    @staticmethod
    def _literal(values: list[Any]) -> list[str]:
        if not all(isinstance(value, str | int | None) for value in values):
            # Python has literal types of texts and whole numbers only.
            kind = "float" if all(isinstance(value, int | float | None) for value in values) else "Any"
            return [kind, *(["None"] if None in values else [])]
        texts = [repr(value).replace("'", '"') for value in values if value is not None]
        parts = [f"Literal[{', '.join(texts)}]"] if texts else []
        return parts + (["None"] if None in values else [])

    def _kind(self, kind: str, schema: Schema, prefix: str) -> str:
        if kind == "array":
            return f"list[{self.expression(schema.get('items', {}), prefix)}]"
        if kind == "object":
            values = schema.get("additionalProperties")
            inner = self.expression(values, prefix) if isinstance(values, dict) else "Any"
            return f"dict[str, {inner}]"
        if kind == "string" and schema.get("format") == "binary":
            return "File"
        if kind not in PLAIN:
            raise SchemaError(f"there is no type for {kind}")
        return PLAIN[kind]

    def _reference(self, name: str, prefix: str) -> str:
        component = self.components[name]
        if set(component.get("properties", {})) == PAGE:
            return f"Page[{self.expression(component['properties']['data']['items'], prefix)}]"
        if "properties" in component:
            return prefix + name
        return self.expression(component, prefix)

    def properties(self, schema: Schema) -> dict[str, Schema] | None:
        """The properties of an object that is a component with some; None for any other."""
        if "$ref" not in schema:
            return None
        found: dict[str, Schema] | None = self.components[schema["$ref"].rpartition("/")[2]].get("properties")
        return found

    # ------------------------------------------------------------ modules

    def _modules(self, operations: list[Operation]) -> dict[str, list[str]]:
        """Names of components by module: the only tag that reaches them, or `shared`."""
        users: dict[str, set[str]] = {}
        for operation in operations:
            for schema in (operation.body, operation.answer):
                for name in self._reached(schema or {}, set()):
                    users.setdefault(name, set()).add(module_of(operation.tag))
        modules: dict[str, list[str]] = {}
        for name, tags in sorted(users.items()):
            modules.setdefault(min(tags) if len(tags) == 1 else SHARED, []).append(name)
        return modules

    def _reached(self, node: Any, seen: set[str]) -> set[str]:
        """Components that are written as a class and are reachable from `node`."""
        if isinstance(node, list):
            for item in node:
                self._reached(item, seen)
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                self._reached(self.components[name], seen)
            for item in node.values():
                self._reached(item, seen)
        return {name for name in seen if set(self.components[name].get("properties", PAGE)) != PAGE}

    def in_order(self, components: list[str]) -> list[str]:
        """The components with what each is made of before it: the parts of a module then import one another one way."""
        found: list[str] = []
        seen: set[str] = set()

        def add(name: str) -> None:
            if name not in seen:
                seen.add(name)
                for other in sorted(set(re.findall(r"\w+", self.definition(name))) & set(components)):
                    add(other)
                found.append(name)

        for name in components:
            add(name)
        return found

    def module(self, components: list[str], homes: dict[str, str]) -> str:
        """The source of one module with these components; `homes` says in which module each of all is."""
        text = "\n\n\n".join(self.definition(item) for item in components)
        lines = ["from __future__ import annotations", ""]
        names = [item for item in ("Any", "Literal", "NotRequired", "TypedDict") if re.search(rf"\b{item}\b", text)]
        lines.append(f"from typing import {', '.join(names)}")
        own = [item for item in ("File", "Page") if re.search(rf"\b{item}\b", text)]
        if own:
            lines.append(f"from millrace.shapes import {', '.join(own)}")
        named = {home for home in set(re.findall(r"\w+", text)) & homes.keys() if home not in components}
        lines += [f"from millrace.types.{homes[item]} import {item}" for item in sorted(named)]
        return "\n".join(lines) + "\n\n\n" + text + "\n"

    def definition(self, name: str) -> str:
        """A class for one component; what its fields mean stands behind them."""
        component = self.components[name]
        lines = [f"class {name}(TypedDict):"]
        if description := component.get("description", ""):
            lines += [*docstring([description], "    "), ""]
        required = set(component.get("required", []))
        for field, schema in component["properties"].items():
            kind = self.expression(schema)
            lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
            if note := schema.get("description", ""):
                lines += docstring([note], "    ")
        return "\n".join(lines)


def docstring(paragraphs: list[str], indent: str) -> list[str]:
    """Lines of a docstring of at most 116 columns."""
    text = "\n\n".join(
        textwrap.fill(" ".join(paragraph.split()), 110 - len(indent)) for paragraph in paragraphs if paragraph
    )
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    lines = text.split("\n")
    if len(lines) == 1 and not text.endswith('"'):
        return [f'{indent}"""{text}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""']
