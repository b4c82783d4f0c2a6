"""The reference of the C library from its header: sections, declarations as they stand there, comments as text."""
import html
import re

import markdown

SECTION = re.compile(r"/\* -{20,} (.+?) -{3,} \*/")
ATTRIBUTES = re.compile(r"ECDC_API |ECDC_MUST_CHECK ")


def _plain(comment):
    """The text of a comment without its stars."""
    return "\n".join(re.sub(r"^ ?\* ?", "", line).rstrip() for line in comment.split("\n")).strip("\n")


def _paragraphs(text):
    """A comment as HTML: @param and @return become a list."""
    text = re.sub(r"\s*@(param|return)", r"\n@\1", re.sub(r"\s*\n\s*", " ", text))
    parts = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        found = re.match(r"@param\s+(\w+(?:, \w+)*)\s+(.*)", line)
        if found:
            # the description ends where the function's own text goes on
            what, _, rest = found[2].partition(" Fails with ")
            parts.append(f"<dl class='fields'><dt><code>{found[1]}</code></dt><dd>{html.escape(what)}</dd></dl>")
            line = f"Fails with {rest}" if rest else ""
        elif line.startswith("@return"):
            line = "Returns" + line[len("@return"):]
        if line:
            parts.append(f"<p>{html.escape(line)}</p>")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", "".join(parts))


def _name(declaration):
    """What a declaration declares."""
    for pattern in (r"#define (\w+)", r"\}\s*(\w+);$", r"typedef struct \w+ (\w+);", r"\b(ecdc_\w+)\s*\("):
        found = re.search(pattern, declaration)
        if found:
            return found[1]
    return None


def _declarations(text):
    """(comment, [declaration ...]) in the order of a section; what follows without a comment belongs to the one before."""
    at, items = 0, []
    token = re.compile(r"/\*\*(.*?)\*/|(#define [^\n]*)|((?:typedef|ECDC_API)\b(?:[^;{]|\{.*?\n\})*;)", re.S)
    while True:
        found = token.search(text, at)
        if not found:
            return items
        at = found.end()
        if found[1] is not None:
            items.append((_plain(found[1].strip()), []))
        elif items:
            items[-1][1].append(found[2] or found[3])
        else:
            items.append(("", [found[2] or found[3]]))


def make(root, code):
    """(HTML, table of contents, problems)."""
    text = (root / "include" / "ecdc.h").read_text()
    intro, rest = text[2:].split("*/\n#ifndef", 1)
    intro = re.sub(r"^(INTRODUCTION|CONVENTIONS)$", lambda m: f"## {m[0].capitalize()}", _plain(intro), flags=re.M)
    title, intro = intro.split("\n", 1)
    body = [f"<h1>C: <code>ecdc.h</code></h1><p>{html.escape(title.strip().rstrip('.'))}. Made from <code>include/ecdc.h</code>.</p>"]
    intro = re.sub(r"(?:^    .*\n|^\n(?=    ))+", lambda m: "\n```c\n" + re.sub(r"^    ", "", m[0], flags=re.M).strip("\n") + "\n```\n", intro,
                   flags=re.M)
    converted = markdown.Markdown(extensions=["fenced_code", "codehilite", "sane_lists", "toc"],
                                  extension_configs={"codehilite": {"css_class": "code"}}).convert(intro)
    body.append(converted)
    toc = [(2, "introduction", "Introduction"), (2, "conventions", "Conventions")]
    documented = set()
    pieces = SECTION.split(rest)
    for section, content in [("version", pieces[0]), *zip(pieces[1::2], pieces[2::2])]:
        anchor = "section-" + re.sub(r"\W+", "-", section.lower())
        toc.append((2, anchor, section[0].upper() + section[1:]))
        body.append(f'<h2 id="{anchor}">{html.escape(section[0].upper() + section[1:])}</h2>')
        for comment, declarations in _declarations(content):
            declarations = [d for d in declarations if _name(d) and _name(d) not in ("ECDC_API", "ECDC_MUST_CHECK", "ECDC_H")]
            if not declarations:
                continue
            names = list(dict.fromkeys(_name(d) for d in declarations))
            documented.update(names)
            heads = ", ".join(f'<code id="{n}">{n}</code>' for n in names)
            body.append(f"<h3>{heads}</h3>" + code("\n".join(ATTRIBUTES.sub("", d) for d in declarations), "c") + _paragraphs(comment))
    public = set(re.findall(r"ECDC_API\s[^;(]*?\b(ecdc_\w+)\s*\(", rest)) | set(re.findall(r"^\} (ecdc_\w+);", rest, re.M))
    problems = [f"{name} is not in the reference" for name in sorted(public - documented)]
    known = "|".join(sorted(documented, key=len, reverse=True))
    page = re.sub(rf"(<pre>.*?</pre>|<h\d.*?</h\d>)|\b({known})\b",
                  lambda m: m[1] or f'<a href="#{m[2]}">{m[2]}</a>', "".join(body), flags=re.S)
    return page, toc, problems
