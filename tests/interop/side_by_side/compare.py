"""Where two records of a case differ, and what the list of expected differences says about it."""
import fnmatch
import tomllib
from dataclasses import dataclass, field

ABSENT = "<absent>"
VERSIONS = ("4.9.7", "5.5.0")


@dataclass(frozen=True)
class Difference:
    """`where` is a path as reply.fields.msgId or stored.body.messages.0.topic."""
    where: str
    ours: object
    theirs: object

    def __str__(self) -> str:
        return f"{self.where}: here {shown(self.ours)}, there {shown(self.theirs)}"


def shown(value) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def differences(ours, theirs, where: str = "") -> list[Difference]:
    """Lists of one length are compared item by item, others as a whole. Of replies with two codes (or one that is missing) only that counts."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for decisive in ("answer", "asked", "code"):
            if not isinstance(ours.get(decisive, {}), dict) and ours[decisive] != theirs.get(decisive, ours[decisive]):
                return [Difference(f"{where}.{decisive}" if where else decisive, ours[decisive], theirs[decisive])]
        found = []
        for name in sorted(ours.keys() | theirs.keys()):
            found += differences(ours.get(name, ABSENT), theirs.get(name, ABSENT), f"{where}.{name}" if where else name)
        return found
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [one for index, (left, right) in enumerate(zip(ours, theirs)) for one in differences(left, right, f"{where}.{index}")]
    return [] if ours == theirs else [Difference(where, ours, theirs)]


class BadList(Exception):
    """The list of expected differences cannot be read; the text says why."""


@dataclass
class Entry:
    """Patterns are those of the shell. `hits` are the patterns and versions that a difference has needed so far."""
    versions: list[str]
    cases: list[str]
    where: list[str]
    reason: str
    hits: set = field(default_factory=set)

    def covers(self, version: str, case_name: str, where: str) -> bool:
        if version not in self.versions:
            return False
        cases = {pattern for pattern in self.cases if fnmatch.fnmatchcase(case_name, pattern)}
        places = {pattern for pattern in self.where if fnmatch.fnmatchcase(where, pattern)}
        if not cases or not places:
            return False
        self.hits |= {("from", version)} | {("cases", name) for name in cases} | {("where", name) for name in places}
        return True

    def unused(self) -> list[str]:
        wanted = [("from", name) for name in self.versions] + [("cases", name) for name in self.cases] + [("where", name) for name in self.where]
        return [f"{kind} {name}" for kind, name in wanted if (kind, name) not in self.hits]


def load(path) -> list[Entry]:
    with open(path, "rb") as file:
        try:
            rows = tomllib.load(file).get("difference", [])
        except tomllib.TOMLDecodeError as error:
            raise BadList(f"{path}: {error}") from error
    return [entry(row, f"{path}: difference {number}") for number, row in enumerate(rows, 1)]


def entry(row: dict, at: str) -> Entry:
    unknown = row.keys() - {"from", "cases", "where", "reason", "docs"}
    if unknown:
        raise BadList(f"{at}: unknown key {min(unknown)}")
    for key in ("from", "cases", "where"):
        value = row.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise BadList(f"{at}: {key} must be a list of texts")
    if not set(row["from"]) <= set(VERSIONS):
        raise BadList(f"{at}: from names another version than {' and '.join(VERSIONS)}")
    if not isinstance(row.get("reason"), str) or not row["reason"].strip():
        raise BadList(f"{at}: no reason")
    return Entry(row["from"], row["cases"], row["where"], row["reason"])


@dataclass
class Verdict:
    """What became of one case. `agrees` are the versions with no difference, `reasons` those of the listed differences."""
    agrees: list[str]
    reasons: list[str]
    unlisted: list[str]

    def sentence(self) -> str:
        text = "as " + " and ".join(self.agrees) if self.agrees else "as neither"
        return text + "".join(f"; {reason}" for reason in self.reasons)


def judge(case_name: str, ours: dict, theirs: dict[str, dict], entries: list[Entry]) -> Verdict:
    """`theirs`: records by version."""
    verdict = Verdict([], [], [])
    for version in VERSIONS:
        found = differences(ours, theirs[version])
        if not found:
            verdict.agrees.append(version)
        for one in found:
            covering = [entry for entry in entries if entry.covers(version, case_name, one.where)]
            if not covering:
                verdict.unlisted.append(f"from {version}: {one}")
            for entry in covering:
                reason = f"from {version}: {entry.reason}"
                if reason not in verdict.reasons:
                    verdict.reasons.append(reason)
    return verdict
