"""Keep the README's examples those that the tests run: copies the named files between their markers."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- include (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """
    Return a page with each included file as it is now.

    :param text: the page.
    """

    def block(match: re.Match[str]) -> str:
        source = (ROOT / match[2]).read_text().strip()
        return f"{match[1]}\n```python\n{source}\n```\n\n{match[3]}"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
