"""Whether differences.toml and the tables of differences in docs/protocols/ tell the same."""
import pathlib
import re
import tomllib

HERE = pathlib.Path(__file__).parent
PROTOCOLS = HERE.parents[2] / "docs/protocols"
HEADINGS = {"remoting.md": ("## Differences from RocketMQ", "### Transactions"), "nameserver.md": ("## Differences from RocketMQ",)}


def rows(text: str, headings) -> list[str]:
    """First cells of the tables of differences below these headings."""
    found = []
    for heading in headings:
        section = re.split(r"^#+ ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
        cells = [line.split(" | ")[0].lstrip("| ").strip() for line in section.splitlines() if line.startswith("| ")]
        found += [cell for cell in cells if cell and cell not in ("what", "|") and not cell.startswith("RocketMQ 4.9.7, 5.5.0")]
    return found


def disagreements() -> list[str]:
    """Each row of the documents is named by a listed difference or said to show in no reply; each name is a row."""
    with open(HERE / "differences.toml", "rb") as file:
        listed = tomllib.load(file)
    named = {name for entry in listed.get("difference", []) for name in entry.get("docs", [])}
    elsewhere = {name for entry in listed.get("elsewhere", []) for name in entry["docs"]}
    documented = {f"{page}: {row}" for page, headings in HEADINGS.items() for row in rows((PROTOCOLS / page).read_text(), headings)}
    return ([f"no row {name}" for name in sorted((named | elsewhere) - documented)]
            + [f"not in differences.toml: {row}" for row in sorted(documented - named - elsewhere)]
            + [f"both listed and elsewhere: {name}" for name in sorted(named & elsewhere)])
