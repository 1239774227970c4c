"""What in a page would run: read as a browser reads it."""

import re
from html.parser import HTMLParser

MARK = "data-xss"
PAYLOADS = (
    f"<script {MARK}>alert(1)</script>",
    f'"><img {MARK} src=x onerror=alert(1)>',
    f"' onfocus=alert(1) autofocus {MARK}='",
    f'" onmouseover=alert(1) {MARK}="',
    f"<svg/onload=alert(1) {MARK}>",
    f"</script><script {MARK}>alert(1)</script>",
    f"</title></textarea></select><script {MARK}>alert(1)</script>",
    f"--><script {MARK}>alert(1)</script><!--",
    f"]]><script {MARK}>alert(1)</script>",
    f"<iframe {MARK} srcdoc='<script>alert(1)</script>'>",
    f"<a {MARK} href='javascript:alert(1)'>x</a>",
    f"<math><mtext><style {MARK}><img src=x onerror=alert(1)>",
    f"javascript:alert(1)//{MARK}",
    f"data:text/html,<script {MARK}>alert(1)</script>",
    "{{ 1337*1337 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{1337.__class__}%(x)s${1337*1337}#{1337*1337}",
    f"＜script {MARK}＞alert(1)＜/script＞",
    f"<scr\u0130pt {MARK}>alert(1)</scr\u0130pt>",
)
CALCULATED = str(1337 * 1337)
URLS = ("href", "src", "action", "formaction", "srcdoc", "data", "hx-get", "hx-post", "xlink:href")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if MARK in names:
            self.found.append(f"<{tag}> of a stranger")
        self.found += [f"<{tag} {name}>" for name in names if name.startswith("on")]
        for name in URLS:
            address = re.sub(r"[\x00-\x20]", "", names.get(name) or "").lower()
            if address.startswith(("javascript:", "vbscript:", "data:text/html")):
                self.found.append(f"<{tag} {name}={address[:30]}>")
        if tag == "script":
            self.script = True
            if "nonce" not in names and names.get("type") != "application/json":
                self.found.append("<script> without a nonce")

    def handle_endtag(self, tag: str) -> None:
        self.script = self.script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self.script and MARK in data:
            self.found.append("a stranger's words in a script")


def executable(html: str) -> list[str]:
    """What a stranger's words made run, or made the template engine calculate."""
    reader = _Reader()
    reader.feed(html)
    return reader.found + (["calculated"] if CALCULATED in html else [])
