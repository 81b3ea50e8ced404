"""Renders the tour, the guides and this folder's own pages to HTML, and checks every link.

    python docs/render.py OUTPUT
"""

import html
import re
import shutil
import sys
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
# In reading order: the page's name, its title, its source.
PAGES = [
    ("index", "Wharf", "wharf/src/tour.md"),
    ("seen-from-outside", "Seen from outside", "docs/seen-from-outside.md"),
    ("scaling", "Scaling", "wharf/src/guide/scaling.md"),
    ("from-axum", "From axum", "wharf/src/guide/from_axum.md"),
    ("from-actix-ws", "From actix-ws", "wharf/src/guide/from_actix_ws.md"),
    ("architecture", "The house on one page", "ARCHITECTURE.md"),
    ("changes", "Changes", "CHANGELOG.md"),
]
# What rustdoc calls a guide is a page here.
GUIDES = {f"guide::{page.replace('-', '_')}": f"{page}.html" for page, _, source in PAGES if "guide/" in source}
# A path of Rust's: rustdoc links it and checks it, here it is only a name.
RUST_PATH = re.compile(r"^(?:[a-z_]+@)?[\w:]+(?:\(\)|!)?(?:#[\w.-]+)?$")
RUST_BLOCKS = {"", "rust", "no_run", "ignore", "should_panic", "compile_fail"}

STYLE = """
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; padding-bottom: 1rem; }
nav, th, td, pre { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
pre { overflow: auto; padding: 0.75rem; background: color-mix(in srgb, currentColor 6%, transparent); }
code { font-size: 0.9em; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.25rem 0.75rem 0.25rem 0; vertical-align: top; }
img { max-width: 100%; }
"""


def slug(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def is_rust(info):
    return set(re.split(r"[, ]+", info.strip())) & RUST_BLOCKS != set()


def without_hidden_lines(code):
    """Rustdoc hides lines that begin with `# `, and so do the pages."""
    lines = [line for line in code.split("\n") if line.strip() != "#" and not line.lstrip().startswith("# ")]
    return "\n".join(lines).lstrip("\n")


def plain_names(text):
    """A name in brackets with no address is a link of rustdoc's."""
    parts = re.split(r"(^```.*?^```)", text, flags=re.M | re.S)
    return "".join(
        part if part.startswith("```") else re.sub(r"\[(`[^`\]]+`)\](?![\(\[])", r"\1", part) for part in parts
    )


def render(source):
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(plain_names(source.read_text()))
    anchors, links = set(), []
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            title = "".join(child.content for child in tokens[at + 1].children)
            anchor = slug(title)
            token.attrSet("id", anchor)
            anchors.add(anchor)
        elif token.type == "fence" and is_rust(token.info):
            token.content, token.info = without_hidden_lines(token.content), "rust"
        for child in token.children or []:
            if child.type == "image":
                links.append(child.attrGet("src"))
            if child.type != "link_open":
                continue
            href = child.attrGet("href")
            guide, _, anchor = href.partition("#")
            if guide in GUIDES:
                child.attrSet("href", GUIDES[guide] + (f"#{anchor}" if anchor else ""))
                links.append(child.attrGet("href"))
            elif re.match(r"^https?://", href):
                pass
            elif RUST_PATH.match(href) and "." not in href.split("#")[0] and not href.startswith("#"):
                # Only its text stays.
                child.tag, child.attrs = "span", {}
                close = token.children[token.children.index(child) :]
                next(other for other in close if other.type == "link_close").tag = "span"
            else:
                links.append(href)
    return markdown.renderer.render(tokens, markdown.options, {}), anchors, links


def main():
    output = Path(sys.argv[1])
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "pictures", output / "pictures")
    problems, rendered = [], {}
    by_source = {(ROOT / source).resolve(): f"{name}.html" for name, _, source in PAGES}
    for name, _, source in PAGES:
        rendered[name] = render(ROOT / source)
    menu = " ".join(f'<a href="{name}.html">{html.escape(title)}</a>' for name, title, _ in PAGES)
    count = 0
    for name, title, source in PAGES:
        body, _, links = rendered[name]
        for link in links:
            count += 1
            target, _, anchor = link.partition("#")
            file = ((ROOT / source).parent / target).resolve()
            page = name if not target else Path(by_source.get(file, target)).stem
            if page in rendered:
                if target and file in by_source:
                    body = body.replace(f'href="{target}', f'href="{by_source[file]}')
                if anchor and anchor not in rendered[page][1]:
                    problems.append(f"{source}: {link} has no such heading")
            elif target.startswith("..") or not (file.is_file() or (output / target).is_file()):
                problems.append(f"{source}: {link} leads nowhere")
            elif file.is_file():
                (output / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, output / target)
        (output / f"{name}.html").write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
            f"<nav>{menu}</nav><main>{body}</main></html>"
        )
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"{len(PAGES)} pages in {output}, {count} links lead somewhere")


main()
