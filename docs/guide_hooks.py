"""What MkDocs does beside its settings: pages from outside `docs/`, and no script inside a page."""

import hashlib
import re
from pathlib import Path
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
#: Pages that lie where people expect them in a repository, under the names that they have in the guide.
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/tuning-pictures.md": "tuning-pictures.md",
    "benchmarks/tuning-texts.md": "tuning-texts.md",
}
SCRIPTS = "assets/scripts"
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_scripts: dict[str, str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of `ELSEWHERE`."""
    for source, name in ELSEWHERE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links lead to pages of the guide; of those to the source code their text stays."""
    sources = {name: source for source, name in ELSEWHERE.items()}
    folder = (Path("docs") / page.file.src_uri).parent
    if page.file.src_uri in sources:
        folder = Path(sources[page.file.src_uri]).parent

    def guide_link(found: re.Match[str]) -> str:
        text, link = found.groups()
        if link.startswith(("#", "http:", "https:", "mailto:")):
            return found[0]
        path, _, anchor = link.partition("#")
        target = normpath(f"{folder.as_posix()}/{path}")
        page_name = ELSEWHERE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if page_name is None:
            return text if text.strip("`") == target or text.startswith("`") else f"{text} (`{target}`)"
        return f"[{text}]({page_name}{'#' if anchor else ''}{anchor})"

    prose_and_code = _FENCE.split(markdown)
    prose_and_code[::2] = [_LINK.sub(guide_link, prose) for prose in prose_and_code[::2]]
    return "".join(prose_and_code)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Move the theme's scripts out of the page, where a strict content security policy allows them; name its dialog."""
    named = output.replace('role="dialog"', 'role="dialog" aria-label="Search"')
    return _INLINE_SCRIPT.sub(_moved_script, named)


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """Do the same with the pages that have no source."""
    return _INLINE_SCRIPT.sub(_moved_script, output_content)


def on_post_build(config: MkDocsConfig) -> None:
    """Write the scripts that were moved."""
    folder = Path(config.site_dir) / SCRIPTS
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in _scripts.items():
        (folder / name).write_text(script, encoding="utf-8")


def _moved_script(found: re.Match[str]) -> str:
    name = f"{hashlib.sha256(found[1].encode()).hexdigest()[:16]}.js"
    _scripts[name] = found[1]
    return f'<script src="{SCRIPTS}/{name}"></script>'
