"""Keeper of the README's copies: files that the tests run and the table of the code, between markers."""

from __future__ import annotations

import re
from pathlib import Path

from docs import retry_table

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- include (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
RETRY_TABLE = "api/retry.py"
"""What the marker of the retry table includes."""


def rendered(text: str) -> str:
    """
    Return a page with each included file or table as it is now.

    :param text: the page.
    """

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{_included(match[2])}\n\n{match[3]}"

    return BLOCK.sub(block, text)


def _included(name: str) -> str:
    if name == RETRY_TABLE:
        return retry_table.render()
    return f"```python\n{(ROOT / name).read_text().strip()}\n```"


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
