"""Requests, held to the SDK's own generated parameter types: unknown fields and wrong types are refused.

The SDK describes each call's parameters by a TypedDict (`stripe.params`). These are rebuilt here once for pydantic:
nested ones too forbid fields they do not name, open enumerations stay open, and text becomes integers and booleans only
where Stripe would read it so.
"""

import functools
import re
import sys
import types
import typing
from decimal import Decimal
from typing import Annotated, Any, ForwardRef, Literal, NotRequired, Union, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import TypedDict, is_typeddict

from deploy.stripe_simulator.errors import StripeError

Json = dict[str, Any]


class NoParams(TypedDict):
    """Of calls that take nothing."""


class Params(dict[str, Any]):
    """The checked parameters of one request, which remember what was read of them.

    What the SDK knows but no code reads would otherwise be dropped in silence; `unread` names it, and it is refused.
    """

    def __init__(self, values: Json) -> None:
        super().__init__({name: _wrapped(value) for name, value in values.items()})
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def plain(self) -> Json:
        """Everything, as an ordinary dictionary; it counts as read."""
        self.read.update(self)
        return {name: _plain(value) for name, value in super().items()}

    def unread(self, prefix: str = "") -> list[str]:
        """Names of what was given and never looked at."""
        found: list[str] = []
        for name, value in super().items():
            path = f"{prefix}[{name}]" if prefix else name
            found += [path] if name not in self.read else _unread(value, path)
        return found


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Params(value)
    return [_wrapped(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Params):
        return value.plain()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _unread(value: Any, path: str) -> list[str]:
    if isinstance(value, Params):
        return value.unread(path)
    if isinstance(value, list):
        return [name for index, item in enumerate(value) for name in _unread(item, f"{path}[{index}]")]
    return []


# ---------------------------------------------------------------- reading


def decode(text: str) -> Json:
    """Read a form or a query: `items[0][price]=x` becomes `{"items": {"0": {"price": "x"}}}`."""
    result: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = [name.split("[", 1)[0], *re.findall(r"\[([^\]]*)\]", name)]
        place = result
        for step in rest:
            inner = place.setdefault(head, {})
            if not isinstance(inner, dict):
                raise StripeError(f"Invalid hash or array: {name}", param=name)
            place, head = inner, step or str(len(inner))
        place[head] = value
    return result


def check(kind: Any, values: Json) -> Params:
    """Hold decoded values to the parameter type `kind` of the SDK; raises StripeError as Stripe words it."""
    try:
        return Params(_adapter(kind).validate_python(values))
    except ValidationError as error:
        raise _refusal(error, values) from None


def _refusal(error: ValidationError, values: Json) -> StripeError:
    found = max(error.errors(), key=lambda item: len(_path(item["loc"], values)))
    steps = _path(found["loc"], values)
    if found["type"] == "missing":
        steps = [*[step for step in steps if step != found["loc"][-1]], found["loc"][-1]]
    name = "".join(str(step) if not index else f"[{step}]" for index, step in enumerate(steps))
    match found["type"]:
        case "extra_forbidden":
            return StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        case "missing":
            return StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)
        case "simulator_integer":
            return StripeError(f"Invalid integer: {found['input']}", code="parameter_invalid_integer", param=name)
    return StripeError(f"Invalid {name}: {found['msg']}", param=name)


def _path(location: tuple[Any, ...], values: Any) -> list[Any]:
    """The location without the names that pydantic gives to the branches of a union."""
    steps: list[Any] = []
    for step in location:
        if isinstance(values, dict) and str(step) in values:
            steps.append(step)
            values = values[str(step)]
    return steps


# ---------------------------------------------------------------- the SDK's types for pydantic


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(_mapping(kind))


@functools.cache
def _mapping(kind: Any) -> Any:
    """A TypedDict of the SDK, rebuilt so that it forbids what it does not name."""
    names = vars(sys.modules[kind.__module__])
    fields: Json = {}
    for name, annotation in kind.__annotations__.items():
        if name in RequestOptions.__annotations__ and issubclass_of_options(kind):
            continue
        hint = _evaluated(annotation, names)
        if get_origin(hint) is NotRequired or get_origin(hint) is typing.NotRequired:
            fields[name] = NotRequired[_converted(get_args(hint)[0], names)]
        else:
            fields[name] = _converted(hint, names)
    rebuilt = TypedDict(kind.__name__, fields)  # type: ignore[misc]
    return with_config(ConfigDict(extra="forbid"))(rebuilt)


def issubclass_of_options(kind: Any) -> bool:
    """Tell whether the type also carries the SDK's own options of a call, which never travel as parameters."""
    return RequestOptions in getattr(kind, "__orig_bases__", ())


def _evaluated(hint: Any, names: Json) -> Any:
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    # The text comes from the installed SDK's own modules.
    return eval(hint, dict(names)) if isinstance(hint, str) else hint  # noqa: S307


def _converted(hint: Any, names: Json) -> Any:
    hint = _evaluated(hint, names)
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return _mapping(hint)
    if origin in (Union, types.UnionType):
        kept = [item for item in arguments if get_origin(item) is not UntypedStripeObject]
        members = tuple(_converted(item, names) for item in kept)
        return Annotated[Union[members], Field(union_mode="left_to_right")] if len(members) > 1 else members[0]  # noqa: UP007
    if origin is list:
        return Annotated[list[_converted(arguments[0], names)], BeforeValidator(_as_list)]  # type: ignore[misc]
    if origin is dict:
        return dict[str, _converted(arguments[1], names)]  # type: ignore[misc]
    if origin is Literal or hint in (str, Any):
        return hint
    return _SCALARS[hint]


def _as_list(value: Any) -> Any:
    if isinstance(value, dict) and all(key.isdigit() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return value


def _as_integer(value: Any) -> Any:
    from pydantic_core import PydanticCustomError

    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    raise PydanticCustomError("simulator_integer", "Invalid integer")


def _as_boolean(value: Any) -> Any:
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("must be true or false")


_SCALARS: dict[Any, Any] = {
    int: Annotated[int, BeforeValidator(_as_integer)],
    bool: Annotated[bool, BeforeValidator(_as_boolean)],
    float: float,
    Decimal: Decimal,
}
