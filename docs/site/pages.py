"""Markdown files of the repository as pages that link to each other as the files do."""
import html
import os
import re
import shutil
from pathlib import Path

import c_reference
import markdown
import python_reference
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

HERE = Path(__file__).parent
INDEX = "docs/README.md"  # its lists are the menu
REFERENCES = {"include/ecdc.h": c_reference, "python/ecdc/__init__.py": python_reference}
LANGUAGES = {"sh": "bash", "text": "text"}
LINK = re.compile(r'(?P<before><(?:a|img)\b[^>]*?\b(?:href|src)=")(?P<target>[^"#:]*)(?P<anchor>#[^"]*)?(?=")')


def slug(text, separator="-"):
    """The anchor that GitHub gives to a heading."""
    text = re.sub(r"<[^>]*>", "", html.unescape(text)).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", separator)


def code(text, language):
    try:
        lexer = get_lexer_by_name(LANGUAGES.get(language, language)) if language else TextLexer()
    except ClassNotFound:
        lexer = TextLexer()
    return highlight(text, lexer, HtmlFormatter(cssclass="code"))


def convert(text):
    """(HTML, list of (level, anchor, heading)) of a Markdown file."""
    text = re.sub(r"^<!--.*?-->\n?", "", text, flags=re.M | re.S)
    converter = markdown.Markdown(extensions=["tables", "toc", "sane_lists", "fenced_code", "codehilite"], extension_configs={
        "toc": {"slugify": slug}, "codehilite": {"css_class": "code", "guess_lang": False}})
    body = converter.convert(re.sub(r"^```sh$", "```bash", text, flags=re.M))
    body = re.sub(r"<table>.*?</table>", r'<div class="wide">\g<0></div>', body, flags=re.S)
    toc = []

    def walk(tokens):
        for token in tokens:
            toc.append((token["level"], token["id"], token["name"]))
            walk(token["children"])

    walk(converter.toc_tokens)
    return body, toc


class Site:
    def __init__(self, root):
        self.root = root
        self.template = (HERE / "template.html").read_text()
        self.files = {}  # path of a source in the repository: (title, HTML, table of contents, whether it is in the menu)
        self.assets = set()
        self.problems = []

    # ------------------------------------------------------------------------------------------------ reading --

    def _read(self, path):
        """The page of a file of the repository, relative to the root."""
        source = self.root / path
        if path in REFERENCES:
            body, toc, problems = REFERENCES[path].make(self.root, code)
            self.problems += [f"{path}: {p}" for p in problems]
        elif path.endswith(".md"):
            body, toc = convert(source.read_text())
        elif source.is_dir():
            names = sorted(p.name + "/" * p.is_dir() for p in source.iterdir() if p.name not in ("__pycache__",))
            body, toc = f"<h1>{path}</h1><ul>" + "".join(f"<li><code>{n}</code></li>" for n in names) + "</ul>", []
        else:
            try:
                lexer = get_lexer_for_filename(path)
            except ClassNotFound:
                lexer = TextLexer()
            body, toc = f"<h1>{path}</h1>" + highlight(source.read_text(), lexer, HtmlFormatter(cssclass="code")), []
        title = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.S)
        self.files[path] = (re.sub(r"<[^>]*>", "", title.group(1)) if title else path, body, toc)

    def _target(self, page, target):
        """The file of the repository that a link of a page leads to: None where there is none."""
        path = os.path.normpath(os.path.join(os.path.dirname(page), target))
        source = self.root / path
        if path.startswith("..") or not source.exists():
            return None
        if source.is_dir() and (source / "README.md").is_file():
            path += "/README.md"
        return path

    def _gather(self, path):
        """Reads a page and all that it leads to."""
        if path in self.files:
            return
        self._read(path)
        for match in LINK.finditer(self.files[path][1]):
            target = self._target(path, match["target"]) if match["target"] else path
            if target is None:
                self.problems.append(f"{path}: {match['target']} is not there")
            elif "<img" in match["before"]:
                self.assets.add(target)
            else:
                self._gather(target)

    # ------------------------------------------------------------------------------------------------ writing --

    @staticmethod
    def _file(path):
        if path == "README.md":
            return "index.html"
        return path[:-3] + ".html" if path.endswith(".md") else path + ".html"

    def _relink(self, page, body):
        here = os.path.dirname(self._file(page))

        def replace(match):
            target = self._target(page, match["target"]) if match["target"] else None
            if target is None:
                return match.group(0)
            to = target if target in self.assets and "<img" in match["before"] else self._file(target)
            return match["before"] + os.path.relpath(to, here or ".") + (match["anchor"] or "")

        return LINK.sub(replace, body)

    def _menu(self, page):
        """The lists of the index, the page at hand marked."""
        body = self.files[INDEX][1]
        parts = []
        for heading, links in re.findall(r"<h2[^>]*>(.*?)</h2>.*?<ul>(.*?)</ul>", body, re.S):
            items = []
            for target, name in re.findall(r'<li>\s*(?:<p>)?<a href="([^"#:]*)[^"]*">(.*?)</a>', links, re.S):
                path = self._target(INDEX, target)
                if path:
                    mark = ' aria-current="page"' if path == page else ""
                    to = os.path.relpath(self._file(path), os.path.dirname(self._file(page)) or ".")
                    items.append(f'<li><a href="{to}"{mark}>{name}</a></li>')
                    self.listed.add(path)
            parts.append(f"<p>{heading}</p><ul>{''.join(items)}</ul>")
        return "".join(parts)

    def write(self, out):
        """Writes the site; sentences about what is wrong."""
        self.listed = set()
        for path in ["README.md", INDEX, *(f"docs/{p.name}" for p in sorted((self.root / "docs").glob("*.md")))]:
            self._gather(path)
        if out.exists():
            shutil.rmtree(out)
        for path, (title, body, toc) in self.files.items():
            to = out / self._file(path)
            to.parent.mkdir(parents=True, exist_ok=True)
            base = os.path.relpath(out, to.parent)
            entries = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for level, anchor, name in toc if level == 2)
            if entries.count("<li>") > 2:
                body = body.replace("</h1>", f'</h1><nav class="toc" aria-label="On this page"><p>On this page</p><ul>{entries}</ul></nav>', 1)
            page = {"title": title, "base": base, "menu": self._menu(path), "body": self._relink(path, body)}
            to.write_text(re.sub(r"\{\{(\w+)\}\}", lambda m: page[m.group(1)], self.template))
        for path in self.assets:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / path, out / path)
        light, dark = (HtmlFormatter(style=s).get_style_defs(".code") for s in ("friendly", "nord"))
        dark = "\n".join(line for line in dark.splitlines() if line.startswith(".code ."))
        light = "\n".join(line for line in light.splitlines() if line.startswith(".code ."))
        (out / "style.css").write_text((HERE / "style.css").read_text() + f"\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n")
        unlisted = [p for p in self.files if p.startswith("docs/") and p.endswith(".md") and p != INDEX and p not in self.listed]
        return self.problems + [f"{path}: no list of {INDEX} names it" for path in unlisted]
