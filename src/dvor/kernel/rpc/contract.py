"""A contract read once: its methods, and a request message for the parameters of each."""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import ValidationError, create_model

from dvor.kernel.config import Settings
from dvor.kernel.errors import InvalidFields
from dvor.kernel.messages import Message

_PROBLEMS_MAX = 20
"""A refusal travels in a header, which is small: further problems are not listed."""
_PROBLEM_CHARACTERS_MAX = 150


@dataclass(frozen=True)
class Method:
    """One method of a contract."""

    contract: str
    name: str
    wire_name: str
    """As gRPC writes it: `add_to_cart` -> `AddToCart`."""
    request: type[Message]
    """The parameters as a message: same names, types, constraints and defaults."""
    names: Mapping[str, None]
    """Of the parameters, in their order."""
    required: frozenset[str]
    returns: type[Message] | None
    long_poll: bool
    """May wait `Settings.wait_seconds` for news before it answers."""
    doc: str

    def timeout_seconds(self, settings: Settings) -> float:
        """How long a call may take."""
        waiting = settings.wait_seconds if self.long_poll else 0
        return settings.call_timeout_seconds + waiting

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Message:
        """The request of a call with these arguments.

        Raises InvalidFields for values that do not fit, TypeError for a call Python would refuse.
        """
        names = self.names
        given = dict(zip(names, args, strict=False))
        given.update(kwargs)
        if len(given) != len(args) + len(kwargs) or not given.keys() <= names.keys():
            raise TypeError(f"{self.contract}.{self.name}() takes {', '.join(names) or 'nothing'}")
        if missing := self.required - given.keys():
            raise TypeError(f"{self.contract}.{self.name}() misses {', '.join(sorted(missing))}")
        return self.validated(given)

    def validated(self, values: dict[str, Any]) -> Message:
        """The request with these values. Raises InvalidFields."""
        try:
            return self.request.model_validate(values)
        except ValidationError as error:
            raise refused(error) from None


def refused(error: ValidationError) -> InvalidFields:
    """What does not fit, field by field, without repeating what was sent (it may be a password)."""
    problems: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_input=False)[:_PROBLEMS_MAX]:
        cause = problem.get("ctx", {}).get("error")
        text = str(cause) if isinstance(cause, ValueError) else problem["msg"]
        path = ".".join(map(str, problem["loc"]))
        problems.setdefault(path, text[:_PROBLEM_CHARACTERS_MAX])
    return InvalidFields(problems=problems)


@cache
def methods(contract: type) -> Mapping[str, Method]:
    """The methods of a contract in the order of their declaration. TypeError where it is unfit."""
    functions = {
        name: value
        for name, value in vars(contract).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    return {name: _method(contract, name, function) for name, function in functions.items()}


def _method(contract: type, name: str, function: Any) -> Method:
    where = f"{contract.__name__}.{name}"
    module = sys.modules[contract.__module__]
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    returns = hints.get("return")
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{where} is not async")
    if returns is not type(None) and not (
        isinstance(returns, type) and issubclass(returns, Message)
    ):
        raise TypeError(f"{where} does not return a Message or None")
    if unfit := [p.name for p in parameters if p.kind is not p.POSITIONAL_OR_KEYWORD]:
        raise TypeError(f"{where} has parameters that are not plain: {', '.join(unfit)}")
    if untyped := [p.name for p in parameters if p.name not in hints]:
        raise TypeError(f"{where} has parameters without a type: {', '.join(untyped)}")
    fields: dict[str, Any] = {
        p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in parameters
    }
    wire_name = "".join(word.capitalize() for word in name.split("_"))
    request_name = f"{wire_name}Request"
    if hasattr(module, request_name):  # payments has a message PaymentRequest and a method payment
        request_name = f"{contract.__name__}{request_name}"
    request = create_model(request_name, __base__=Message, __module__=contract.__module__, **fields)
    return Method(
        contract=contract.__name__,
        name=name,
        wire_name=wire_name,
        request=request,
        names=dict.fromkeys(fields),
        required=frozenset(p.name for p in parameters if p.default is p.empty),
        returns=None if returns is type(None) else returns,
        long_poll=name in getattr(module, "LONG_POLLS", ()),
        doc=inspect.getdoc(function) or "",
    )


def check_implements(implementation: type, contract: type, *, complete: bool = True) -> None:
    """TypeError unless the contract's methods are there with the same parameters.

    Not `complete`: methods may be missing, but those that are there fit.
    """
    for name in methods(contract):
        ours, promised = getattr(implementation, name, None), vars(contract)[name]
        what = f"{implementation.__name__}.{name}"
        if ours is None or ours is promised:
            if complete:
                raise TypeError(f"{what} is missing: {contract.__name__} promises it")
            continue
        if not inspect.iscoroutinefunction(ours):
            raise TypeError(f"{what} is not async")
        if _parameters(ours) != _parameters(promised):
            raise TypeError(
                f"{what} takes {_parameters(ours)}, but {contract.__name__} promises"
                f" {_parameters(promised)}"
            )


def _parameters(function: Any) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()][1:]
