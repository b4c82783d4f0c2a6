"""The reference of the Python package from its sources: signatures and docstrings, without importing anything."""
import ast
import html
import re

SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes")


def _inline(text):
    text = html.escape(text)
    return re.sub(r"``(.+?)``|`(.+?)`", lambda m: f"<code>{m[1] or m[2]}</code>", text)


def _paragraphs(text):
    return "".join(f"<p>{_inline(' '.join(p.split()))}</p>" for p in re.split(r"\n\s*\n", text.strip()) if p.strip())


def _entries(text):
    """`name : type` with what is indented below it."""
    parts = []
    for entry in re.split(r"\n(?=\S)", text.strip("\n")):
        head, _, rest = entry.partition("\n")
        name, colon, kind = head.partition(" : ")
        kind = f' <span class="kind">{_inline(kind)}</span>' if colon else ""
        name = f"<code>{html.escape(name)}</code>" if re.fullmatch(r"[\w, .*]+", name) else _inline(name)
        parts.append(f"<dt>{name}{kind}</dt>" + (f"<dd>{_paragraphs(rest)}</dd>" if rest.strip() else ""))
    return f"<dl class='fields'>{''.join(parts)}</dl>"


def _docstring(node):
    text = ast.get_docstring(node) or ""
    pieces = re.split(rf"^({'|'.join(SECTIONS)})\n-+\n", text, flags=re.M)
    body = _paragraphs(pieces[0])
    for section, content in zip(pieces[1::2], pieces[2::2]):
        body += f"<p><b>{section}</b></p>" + (_paragraphs(content) if section == "Notes" else _entries(content))
    return body


def _signature(name, function, method):
    arguments = ast.unparse(function.args)
    if method:
        arguments = re.sub(r"^(self|cls)(: \w+)?(, )?", "", arguments)
    returns = f" -> {ast.unparse(function.returns)}" if function.returns and function.name != "__init__" else ""
    line = f"{name}({arguments}){returns}"
    if len(line) > 100:
        pad = "\n    "
        line = f"{name}({pad}{re.sub(r', (?=[*]|[a-z_]+[:=,])', ',' + pad, arguments)}){returns}"
    return line


def _decorators(node):
    return {ast.unparse(d) for d in node.decorator_list}


def _class(qualified, node, bases, code):
    constructor = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    parts = [f'<h3><code id="{qualified}">{qualified}</code></h3>']
    if constructor:
        parts.append(code(_signature(qualified, constructor, True), "python"))
    parts.append(_docstring(node))
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    if fields and not constructor:
        parts.append(code("\n".join(ast.unparse(n) for n in fields), "python"))
    inherited = [m for b in node.bases for m in bases.get(ast.unparse(b), [])]
    for member in [*node.body, *inherited]:
        if not isinstance(member, ast.FunctionDef) or (member.name.startswith("_")):
            continue
        name = f"{node.name}.{member.name}"
        decorators = _decorators(member)
        if any(d.endswith(".setter") for d in decorators):
            continue
        line = f"{name}: {ast.unparse(member.returns)}" if "property" in decorators and member.returns else _signature(name, member, True)
        parts.append(f'<div class="member" id="{qualified}.{member.name}">{code(line, "python")}{_docstring(member)}</div>')
    return "".join(parts)


def _public(tree):
    """The names of a module's __all__, else those without an underscore that it defines."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return [n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")]


def make(root, code):
    """(HTML, table of contents, problems)."""
    folder = root / "python" / "ecdc"
    trees = {p.stem: ast.parse(p.read_text()) for p in sorted(folder.glob("*.py"))}
    package = trees["__init__"]
    where = {a.asname or a.name: (n.module, a.name) for n in package.body if isinstance(n, ast.ImportFrom) and n.module
             for a in n.names}
    bases = {n.name: [m for m in n.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
             for t in trees.values() for n in t.body if isinstance(n, ast.ClassDef) and n.name.startswith("_")}
    body = ["<h1>Python: <code>ecdc</code></h1>" + _docstring(package) + "<p>Made from the docstrings of <code>python/ecdc</code>.</p>"]
    toc, problems, done = [], [], set()

    def write(module, names, qualified_by):
        definitions = {n.name: n for n in trees[module].body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        for name in names:
            node, qualified = definitions.get(name), f"{qualified_by}.{name}"
            if node is None:
                continue
            if not ast.get_docstring(node):
                problems.append(f"{qualified} has no docstring")
            done.add((module, name))
            if isinstance(node, ast.ClassDef):
                body.append(_class(qualified, node, bases, code))
            else:
                body.append(f'<h3><code id="{qualified}">{qualified}</code></h3>'
                            + code(_signature(qualified, node, False), "python") + _docstring(node))

    toc.append((2, "ecdc", "ecdc"))
    body.append('<h2 id="ecdc">ecdc</h2>')
    for name in _public(package):
        module, original = where.get(name, ("__init__", name))
        if module in trees:
            write(module, [original], "ecdc")
    for module, tree in trees.items():
        names = [n for n in _public(tree) if (module, n) not in done]
        if module.startswith("_") or (not names and done & {(module, n) for n in _public(tree)}):
            continue
        toc.append((2, f"ecdc.{module}", f"ecdc.{module}"))
        body.append(f'<h2 id="ecdc.{module}">ecdc.{module}</h2>' + _docstring(tree))
        write(module, names, f"ecdc.{module}")
    return "".join(body), toc, problems
