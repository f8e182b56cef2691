"""What the site takes from outside `docs/`: the README as its first page, and pages that other pages link by `../`.

So nothing is written twice, and every page reads as well on a code host, where links lead to files and folders.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
BESIDE = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "benchmarks/make_avmnist.py",
    "results/README.md",
)
"""Files of the repository that the site has, too."""
NOTEBOOK, PAGE_OF_NOTEBOOK = "notebook.ipynb", "notebook.md"


def on_files(files: Files, config: Any) -> Files:
    """Add the README as `index.md`, the notebook as a page, and BESIDE."""
    files.append(File.generated(config, "index.md", abs_src_path=str(ROOT / "README.md")))
    files.append(File.generated(config, PAGE_OF_NOTEBOOK, content=notebook(ROOT / "docs" / NOTEBOOK)))
    for name in BESIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that hold in the repository become links that hold on the site, and `\\|` in a table's code becomes `|`."""
    uri = page.file.src_uri
    if uri == "index.md":
        page.meta["hide"] = ["navigation"]  # it would name this page alone
    markdown = re.sub(r"(?<=\]\()[^)#:]+", lambda found: translated(uri, found[0]), markdown)
    return re.sub(
        r"^\|.*",
        lambda row: re.sub(r"`[^`]+`", lambda code: code[0].replace(r"\|", "|"), row[0]),
        markdown,
        flags=re.MULTILINE,
    )


def translated(uri: str, target: str) -> str:
    """What `target`, a relative path in the file behind the page `uri`, is called on the site."""
    home = "." if uri == "index.md" or uri in BESIDE else "docs"
    path = os.path.normpath(os.path.join(home, os.path.dirname(uri), target)).removeprefix("docs/")
    if re.fullmatch(r"studies/[\w-]+", path):  # a folder, which a site does not list
        path = f"gallery.md#{path.removeprefix('studies/')}"
    if path == NOTEBOOK and uri != PAGE_OF_NOTEBOOK:
        path = PAGE_OF_NOTEBOOK
    return os.path.relpath(path, os.path.dirname(uri) or ".")


def notebook(path: Path) -> str:
    """A notebook's cells and their text output as Markdown."""
    parts = [f"[The notebook itself]({path.name}) runs in Jupyter as it is."]
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            text = "".join(output.get("text") or output.get("data", {}).get("text/plain", []))
            if text:
                parts.append(f"```text\n{text.rstrip()}\n```")
    parts[0], parts[1] = parts[1], parts[0]  # the title first
    return "\n\n".join(parts) + "\n"
