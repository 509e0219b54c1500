"""The list of cases. A case is a function of a Session; all that it records is compared."""
from dataclasses import dataclass
from typing import Callable

from session import Session


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Session], None]


CASES: list[Case] = []


def add(name: str, run: Callable[[Session], None]) -> None:
    assert all(case.name != name for case in CASES), f"two cases named {name}"
    CASES.append(Case(name, run))


def case(function: Callable[[Session], None]) -> Callable[[Session], None]:
    """Adds a case named module.function."""
    add(f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}", function)
    return function
