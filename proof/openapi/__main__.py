"""Imports real documents, calls services that answer by three of them: `python -m proof.openapi` (issue 6, shown by 3).

The documents are those of `openapi_ops` in the data folder and every JSON or YAML file of OpenAPI 3.0 or 3.1 below
`--documents`; `make openapi` installs the two npm packages that ship some thousands of them and takes every tenth.
Each operation becomes a tool, or stands here with its reason. Then every operation of GitHub's, Stripe's and one more
document is called through the path, with arguments made from its schema, at a server that reads each request by the
document alone; where there are documents as they were published, these three are called beside the recorded ones.

Exits 0 only where at least 1,000 operations were imported, no document broke the importer, every tool is accepted by a
registry, and every call arrived as the operation that it was, with the values that were given.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import anyio

from interlock.errors import BadInput, DefinitionError
from interlock.net.egress import Egress, trusted
from interlock.net.reach import reach_of
from interlock.registry.registry import Registry
from interlock.sources.openapi import Imported, Service, import_openapi
from interlock.sources.openapi_document import Document, read_document, read_file
from proof.openapi.called import Called, call_all
from proof.openapi.recorded import documents
from proof.recorded import FOLDER

WANTED = 1_000
ALWAYS = frozenset({"api.github.com.json", "stripe.com.json"})
"""Files that are taken however few are, and called besides."""

REASONS_MAX = 25
_SIZE_MAX = 16 << 20
"""Bytes of a file that is looked at: packages ship some documents twice, written out."""


def service(name: str, base_url: str = "https://shop.example") -> Service:
    """A service on this machine."""
    egress = Egress(reach_of(["127.0.0.1"], "proof"), timeout_s=10, tls=TLS, keep=0)
    return Service(name=name, base_url=base_url, egress=egress, prefix="")


TLS = trusted()


def found_below(folders: list[Path], every: int) -> list[Path]:
    """Each so manieth file below the folders that can be a document."""
    files = [
        file for folder in folders for file in sorted(folder.rglob("*"))
        if file.suffix in (".json", ".yaml", ".yml") and file.name != "package.json" and file.stat().st_size < _SIZE_MAX
        and ".deref." not in file.name
    ]  # fmt: skip
    return [file for at, file in enumerate(files) if at % every == 0 or file.name in ALWAYS]


def imported(name: str, document: Document) -> Imported:
    """What became of a document; a registry takes all of its tools."""
    found = import_openapi(document, service(name))
    Registry(found.tools)
    return found


def shown(called: Called) -> str:
    """A line on the calls of one document."""
    slips = "".join(f"\n    {slip}" for slip in called.slips[:10])
    unmade = f", {called.unmade} operations without valid arguments" if called.unmade else ""
    return f"  {called.name}: {called.arrived} of {called.calls} calls arrived as they were{unmade}{slips}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--documents", type=Path, action="append", default=[], metavar="FOLDER", help="more documents")
    parser.add_argument("--every", type=int, default=10, metavar="N", help="take each Nth of these (10)")
    parser.add_argument("--calls", type=int, default=10_000, metavar="N", help="calls of one document at most (10,000)")
    given = parser.parse_args()
    began_s = time.monotonic()
    counts, reasons, broke = Counter[str](), Counter[str](), list[str]()
    kept: dict[str, Document] = {}
    small = False
    recorded = {name: read_document(json.dumps(said).encode(), name) for name, said in documents(given.data).items()}
    for name, document in recorded.items():
        take(name, document, counts, reasons, broke)
        kept[f"{name}, as recorded"] = document
    for file in found_below(given.documents, max(1, given.every)):
        try:
            document = read_file(file)
        except BadInput as error:
            other = "no document of OpenAPI 3" in str(error)
            counts["other files" if other else "documents refused"] += 1
            if not other:
                reasons[f"document: {error.args[0].rpartition(': ')[2]}"] += 1
            continue
        size = take(file.name, document, counts, reasons, broke)
        if file.name in ALWAYS or (20 <= size <= 200 and not small):
            kept[f"{file.parent.name}/{file.name}"] = document
            small = small or file.name not in ALWAYS
    print(
        f"{counts['documents']} documents of OpenAPI 3, {counts['tools']} operations are tools,"
        f" {counts['left']} are not, {counts['documents refused']} documents refused, {len(broke)} broke the importer"
    )
    for reason, times in reasons.most_common(REASONS_MAX):
        print(f"  {times:6}  {reason}")
    for each in broke[:REASONS_MAX]:
        print(f"  BROKE  {each}")
    print("called through the path, at a server that answers by the document:")
    called = [anyio.run(call_all, name, document, service, given.calls) for name, document in kept.items()]
    for each in called:
        print(shown(each))
    good = counts["tools"] >= WANTED and not broke and all(not each.slips and each.arrived for each in called)
    print(f"{time.monotonic() - began_s:.0f} s: {'all of it holds' if good else 'something does not hold'}")
    return 0 if good else 1


def take(name: str, document: Document, counts: Counter[str], reasons: Counter[str], broke: list[str]) -> int:
    """Import a document and count what became of it; how many tools it has."""
    try:
        found = imported(name, document)
    except (BadInput, DefinitionError) as error:
        broke.append(f"{name}: {error}")
        return 0
    counts["documents"] += 1
    counts["tools"] += len(found.tools)
    counts["left"] += len(found.left)
    reasons.update(_reason(each.why) for each in found.left)
    return len(found.tools)


def _reason(why: str) -> str:
    """A reason without what it is about, so that equal ones are one line."""
    return re.sub("[0-9]+", "…", why.partition(" at /")[0])[:90]


if __name__ == "__main__":
    sys.exit(main())
