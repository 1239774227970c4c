"""Requests made from an OpenAPI schema: mostly what it asks for, now and then something else."""

from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

NASTY_TEXTS = (
    "", " ", "\x00", "a\x00b", "\ud800", "\U0001f600", "\u202e\u200b\ufeff", "ё" * 300, "a" * 5_000,
    "\r\nSet-Cookie: a=b", "' OR 1=1 --", "\\", "%", "_", "%s%n%x", "{0.__class__}", "../../etc",
    "<script>", "NaN", "-0", "1e308", "9" * 40, "٣", "null", "İ", "\x1b[31m", "*:*&|!()<->", '"',
)  # fmt: skip
NASTY: tuple[Any, ...] = (
    *NASTY_TEXTS, None, True, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, 1e308, -0.0, [], {}, [[]],
    [None], {"": ""}, {"a": {"b": []}},
)  # fmt: skip
KNOWN = ("@offer", "@stay", "@draft", "@listing", "@order", "@payment", "@line")
"""Stand for things of the world; see `test_fuzz.py`."""
NASTY_SHARE = 12
"""One value in so many is not what the schema asks for."""


class Requests:
    """Strategies for the operations of a schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._components = schema["components"]["schemas"]
        self.operations = {
            f"{method.upper()} {path}": operation
            for path, operations in schema["paths"].items()
            for method, operation in operations.items()
        }

    def request(self, name: str) -> st.SearchStrategy[dict[str, Any]]:
        """Arguments of `httpx2.request` for one operation: method, path, params, headers, json."""
        operation = self.operations[name]
        method, path = name.split(" ")

        @st.composite
        def build(draw: Any) -> dict[str, Any]:
            made: dict[str, Any] = {"method": method, "path": path, "params": {}, "headers": {}}
            for parameter in operation.get("parameters", []):
                self._parameter(draw, parameter, made)
            body = operation.get("requestBody", {}).get("content", {})
            if "application/json" in body:
                made["json"] = draw(self._value(body["application/json"]["schema"]))
            elif body:
                made["content"] = draw(st.binary(max_size=200))
            return made

        return build()

    def _parameter(self, draw: Any, parameter: dict[str, Any], made: dict[str, Any]) -> None:
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            value = _text(draw(self._value(parameter["schema"]))) or "x"
            made["path"] = made["path"].replace(f"{{{name}}}", _kept(value))
        elif parameter.get("required") or draw(st.booleans()):
            value = draw(self._value(parameter["schema"]))
            if place == "query":
                several = isinstance(value, list)
                made["params"][name] = [*map(_text, value)] if several else _text(value)
            else:  # a header is a line of visible characters
                line = _text(value).encode("ascii", "ignore").decode()
                made["headers"][name] = "".join(c for c in line if c.isprintable())

    def _value(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        """A value for a schema, or something nasty."""
        fitting = st.deferred(lambda: self._fitting(schema))
        return st.integers(0, NASTY_SHARE).flatmap(
            lambda n: st.sampled_from(NASTY) if n == NASTY_SHARE else fitting
        )

    def _fitting(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            return self._fitting(self._components[schema["$ref"].rpartition("/")[2]])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return st.one_of([self._fitting(one) for one in schema[several]])
        return self._typed(schema, schema.get("type", "string"))

    def _typed(self, schema: dict[str, Any], kind: str) -> st.SearchStrategy[Any]:
        match str(kind):
            case "null":
                return st.none()
            case "boolean":
                return st.booleans()
            case "integer" | "number":
                least = max(schema.get("minimum", 0), -(2**40))
                return st.integers(least, max(min(schema.get("maximum", 1_000), 2**53), least))
            case "array":
                least = schema.get("minItems", 0)
                return st.lists(
                    self._value(schema.get("items", {})), min_size=least, max_size=least + 2
                )
            case "object":
                return self._object(schema)
            case _:
                return _string(schema)

    def _object(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        if "properties" not in schema:
            return st.dictionaries(st.text(max_size=5), self._value({"type": "string"}), max_size=2)
        needed = set(schema.get("required", ()))
        fields = {name: self._value(field) for name, field in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: value for name, value in fields.items() if name in needed},
            optional={name: value for name, value in fields.items() if name not in needed},
        )


def _string(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    formats = {
        "uuid": st.one_of(st.sampled_from(KNOWN), st.uuids().map(str)),
        "date": st.dates().map(str),
        "date-time": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    }
    if schema.get("format") in formats:
        return formats[schema["format"]]
    if "@" in schema.get("pattern", ""):
        return st.just("fuzz@example.org")
    if schema.get("pattern", "").startswith("^(ru|en)"):
        return st.sampled_from(["ru", "en"])
    most = min(schema.get("maxLength", 40), 40)
    return st.text(min_size=min(schema.get("minLength", 0), most), max_size=most)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text.encode("utf-8", "replace").decode()


def _kept(value: str) -> str:
    """A path's part: names of known things stay readable."""
    part = value if value in KNOWN else quote(value, safe="")
    return {".": "%2E", "..": "%2E%2E"}.get(part, part)
