"""Follows every link of the site that stays in it."""
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.links, self.twice = set(), [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = attributes.get("id")
        if name:
            if name in self.ids:
                self.twice.append(name)
            self.ids.add(name)
        for key in ("href", "src"):
            if attributes.get(key):
                self.links.append(attributes[key])


def check(out):
    """Sentences about links that lead nowhere."""
    pages, problems = {}, []
    for path in sorted(out.rglob("*.html")):
        pages[path.resolve()] = page = _Page()
        page.feed(path.read_text())
        problems += [f"{path.relative_to(out)}: two places are called #{name}" for name in page.twice]
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                problems.append(f"{path.relative_to(out.resolve())}: {link} is not there")
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids:
                problems.append(f"{path.relative_to(out.resolve())}: {link}: no such place on that page")
    return problems
