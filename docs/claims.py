"""Makes the README's table of claims: ``loopviz claims --json | python docs/claims.py``."""

from __future__ import annotations

import json
import sys

from loopviz.draw.words import figure


def main() -> None:
    """Print the table that standard input's JSON document tells of."""
    document = json.load(sys.stdin)
    environment = document["environment"]
    versions = (f"{name} {environment[name]}" for name in ("fastapi", "starlette", "uvicorn", "anyio"))
    gil = "with the GIL" if environment["gil"] else "without the GIL"
    print(f"Measured on Python {environment['python']} {gil}, {', '.join(versions)}:\n")
    print("| claim | measured | verdict |\n|---|---|---|")
    for claim in document["claims"]:
        figures = "; ".join(f"{f['name']} {figure(f['value'], f['unit'])}" for f in claim["figures"])
        verdict = f"**{claim['verdict']}**"
        if claim["depends_on"]:
            verdict += f": {claim['depends_on']}"
        if claim["verdict"].startswith("undecided"):
            figures = claim["why"]
        print(f"| {claim['claim']} | {figures} | {verdict} |")


if __name__ == "__main__":
    main()
