"""Check a folder of HTML: `python .ci/check_html.py doc/_build/html`.

Every link to a file of the folder, and every anchor in it, has to exist; and no page may load a
script, style sheet, picture, font or frame from another host, so that the documentation can be
read without a network.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

RESOURCES = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
LOADING_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect"}


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = {name: value for name, value in attrs if value is not None}
        if "id" in attrs:
            self.anchors.add(attrs["id"])
        if tag == "a":
            if "name" in attrs:
                self.anchors.add(attrs["name"])
            if "href" in attrs:
                self.links.append(attrs["href"])
        elif tag == "link" and "href" in attrs:
            relations = set(attrs.get("rel", "").lower().split())
            (self.loads if relations & LOADING_RELATIONS else self.links).append(attrs["href"])
        elif attrs.get(RESOURCES.get(tag)):
            self.loads.append(attrs[RESOURCES[tag]])


def problems(root):
    """Yield one sentence per broken link and per resource from another host."""
    files = [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]
    if not files:
        yield f"{root}: no page found"
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in files}
    for path, page in pages.items():
        name = path.relative_to(root.resolve())
        for address in dict.fromkeys(page.links + page.loads):
            url = urlsplit(address)
            if url.scheme or url.netloc:
                if address in page.loads and url.scheme != "data":
                    yield f"{name}: loads {address}"
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.is_file():
                yield f"{name}: {address} does not exist"
            elif url.fragment and target in pages:
                anchor = unquote(url.fragment)
                if anchor not in pages[target].anchors:
                    yield f"{name}: {address} has no such anchor"


def main():
    root = Path(sys.argv[1])
    found = list(problems(root))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"check_html: {len(found)} problems in {sum(1 for _ in root.rglob('*.html'))} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
