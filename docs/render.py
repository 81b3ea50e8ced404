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
    ("figures", "Figures", "sdk/src/app/observer/metrics.md"),
    ("servers", "Servers", "wharf/src/guide/servers.md"),
    ("scaling", "Scaling", "wharf/src/guide/scaling.md"),
    ("from-axum", "From axum", "wharf/src/guide/from_axum.md"),
    ("from-actix-ws", "From actix-ws", "wharf/src/guide/from_actix_ws.md"),
    ("readme", "On one screen", "README.md"),
    ("numbers", "Numbers", "bench/README.md"),
    ("architecture", "The house on one page", "ARCHITECTURE.md"),
    ("changes", "Changes", "CHANGELOG.md"),
]
# What rustdoc calls a guide is a page here.
GUIDES = {f"guide::{page.replace('-', '_')}": f"{page}.html" for page, _, source in PAGES if "guide/" in source}
# A path of Rust's: rustdoc links it and checks it, here it is only a name.
RUST_PATH = re.compile(r"^(?:[a-z_]+@)?[\w:]+(?:\(\)|!)?(?:#[\w.-]+)?$")
RUST_BLOCKS = {"", "rust", "no_run", "ignore", "should_panic", "compile_fail"}

# The colours of the page that shows an app's document.
COLOURS = (ROOT / "sdk/src/app/asyncapi/page.css").read_text().split("* {")[0]
STYLE = COLOURS + """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.15em; }
nav { background: var(--side); border-bottom: 1px solid var(--line); padding: 1rem 1.25rem; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; }
nav ul ul { display: none; }
nav a { text-decoration: none; color: var(--text); }
nav a:hover { text-decoration: underline; }
nav a[aria-current] { font-weight: 600; color: var(--link); }
main { max-width: 54rem; padding: 1rem 1.25rem 4rem; margin: 0 auto; }
h1, h2, h3 { line-height: 1.25; letter-spacing: -0.01em; scroll-margin-top: 1rem; }
h1 { font-size: 1.75rem; margin: 2.5rem 0 1rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
main > h1:first-child { border: 0; padding: 0; margin-top: 1rem; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.75rem; }
pre { overflow: auto; padding: 0.9rem 1.1rem; background: var(--side); border: 1px solid var(--line); border-radius: 0.5rem; line-height: 1.5; }
code { font: 0.875em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
:not(pre) > code { background: var(--side); border-radius: 0.25rem; padding: 0.1em 0.3em; overflow-wrap: anywhere; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { text-align: left; padding: 0.35rem 1rem 0.35rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-size: 0.9em; }
td:first-child > code:only-child { white-space: nowrap; }
img { max-width: 100%; border: 1px solid var(--line); border-radius: 0.5rem; }
blockquote { margin: 0; padding-left: 1rem; border-left: 3px solid var(--line); color: var(--quiet); }
@media (min-width: 70rem) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow: auto; border-bottom: 0; border-right: 1px solid var(--line); padding: 1.5rem 1.25rem; }
  nav > ul { display: block; }
  nav li { margin: 0.3rem 0; }
  nav ul ul { display: block; margin: 0.2rem 0 0.8rem; padding-left: 0.8rem; border-left: 1px solid var(--line); font-size: 0.9rem; }
  nav ul ul a { color: var(--quiet); }
}
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
    anchors, links, sections = set(), [], []
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            title = "".join(child.content for child in tokens[at + 1].children)
            anchor = slug(title)
            token.attrSet("id", anchor)
            anchors.add(anchor)
            if token.tag == "h1":
                sections.append((anchor, title))
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
    return markdown.renderer.render(tokens, markdown.options, {}), anchors, links, sections


def menu(here, sections):
    """All pages, and the sections of the one that is shown."""
    items = []
    for name, title, _ in PAGES:
        current = ' aria-current="page"' if name == here else ""
        inner = "".join(f'<li><a href="#{anchor}">{html.escape(text)}</a></li>' for anchor, text in sections)
        inner = f"<ul>{inner}</ul>" if name == here and len(sections) > 1 else ""
        items.append(f'<li><a href="{name}.html"{current}>{html.escape(title)}</a>{inner}</li>')
    return f'<nav aria-label="Pages"><ul>{"".join(items)}</ul></nav>'


def main():
    output = Path(sys.argv[1])
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "pictures", output / "pictures")
    problems, rendered = [], {}
    by_source = {(ROOT / source).resolve(): f"{name}.html" for name, _, source in PAGES}
    for name, _, source in PAGES:
        rendered[name] = render(ROOT / source)
    count = 0
    for name, title, source in PAGES:
        body, _, links, sections = rendered[name]
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
            elif file.is_dir() and file.is_relative_to(ROOT):
                # A folder of the repository, which the pages do not have: its name stays.
                body = re.sub(f'<a href="{re.escape(link)}">(.*?)</a>', r"\1", body)
            elif target.startswith("..") or not (file.is_file() or (output / target).is_file()):
                problems.append(f"{source}: {link} leads nowhere")
            elif file.is_file():
                (output / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, output / target)
        (output / f"{name}.html").write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
            f"{menu(name, sections)}<main>{body}</main></html>"
        )
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"{len(PAGES)} pages in {output}, {count} links lead somewhere")


main()
