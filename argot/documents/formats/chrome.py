"""What frames a web page: menus, side boxes, footers and forms, which many pages repeat."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

CONTROLS = ["nav", "button", "select", "input", "textarea", "datalist", "dialog"]
ROLES = {
    "navigation",
    "banner",
    "contentinfo",
    "complementary",
    "search",
    "menu",
    "menubar",
    "dialog",
    "toolbar",
}
FRAMES = {"header", "footer", "aside"}
CONTENT = ["article", "main"]
BLOCKS = {"div", "section", "ul", "ol", "dl", "table", "p", "form", "address", *FRAMES}
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
# What links between the pages of a manual, or to its translations, say of themselves.
REL = {"next", "prev", "previous", "up", "index", "contents", "toc", "start", "top", "alternate"}
# Words in a tag's class or id, as themes and site builders write them.
HINT = re.compile(
    r"\w*nav|nav(bar|igation|list|links|header)\w*|\w*menu|menu(s|bar|item)|(bread)?crumbs?|\w*side(bar|nav)\w*|\w*footer"
    r"|cookies?\w*|consent|gdpr|banner|masthead|topbar|skiplinks?|popups?|modal|overlay|toolbar"
    r"|share|sharing|share(bar|box|daddy|links|this)|social\w*|follow|newsletter"
    r"|subscribe|subscription|login|signin|respond"
    r"|related\w*|recommend\w*|pagination|pager|paginator|advert\w*|ads|promo\w*|sponsor\w*|widgets?|tagcloud|blogroll"
)
# No person writes such a character in an id.
CODE = re.compile(r"[^\w\s-]")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# A hint counts where the tag holds at most this share of the page's prose: themes name the whole
# page "has-sidebar".
SMALL = 0.35
# A menu that nothing marks has at least this many links, with at most this many characters per
# link on average, and this share of its text is in links.
LINKS, SHORT, LINKED = 4, 30, 0.8
# Between two links that turn pages are at most this many characters: "Previous chapter: ".
BETWEEN = 20
# A page that holds only links is no menu: where less than this share of its text would remain
# without the headings, only marked navigation is left out.
LEAST = 0.1


def drop_chrome(soup: Any) -> None:
    """Take what frames the page out of it; the page's only <h1> stays, wherever it is."""
    for tag in [*soup(CONTROLS), *filter(_is_skip_link, soup("a"))]:
        tag.extract()
    for tag in soup.find_all(attrs={"role": "main"}):
        tag.name = "main"
    for tag in soup.find_all(attrs={"role": True}):
        if str(tag["role"]).lower() in ROLES:
            _drop(tag, soup)
    body = soup.body or soup
    sizes = _Sizes(body)
    chrome: list[Any] = []
    for tag in body.find_all(True):
        if not any(parent is chrome[-1] for parent in tag.parents if chrome) and sizes.is_chrome(
            tag
        ):
            chrome.append(tag)
    prose = sizes.all[id(body)] - sum(sizes.all[id(tag)] for tag in [*chrome, *body(HEADINGS)])
    if prose >= LEAST * sizes.all[id(body)]:
        for tag in chrome:
            _drop(tag, soup)


def _drop(tag: Any, soup: Any) -> None:
    titles = tag.find_all("h1")
    if titles and len(titles) == len(soup.find_all("h1")):
        tag.insert_before(*[title.extract() for title in titles])
    tag.extract()


def _is_skip_link(link: Any) -> bool:
    """A link within the page, for those who can't see where its content begins."""
    return (
        str(link.get("href", "")).startswith("#")
        and "skip" in " ".join([*link.get("class", []), *link.parent.get("class", [])]).lower()
    )


class _Sizes:
    """How many characters and links the tags of a page hold, and which links turn pages."""

    def __init__(self, body: Any) -> None:
        self.all: defaultdict[int, int] = defaultdict(int)
        self.linked: defaultdict[int, int] = defaultdict(int)
        self.links: defaultdict[int, int] = defaultdict(int)
        self.body = body
        self.turns: defaultdict[int, int] = defaultdict(int)
        contents = body(CONTENT)
        self.holds_content = {id(parent) for content in contents for parent in content.parents}
        self.in_content = {id(inner) for content in contents for inner in content.find_all(True)}
        for text in body.find_all(string=True):
            length = len(text.strip())
            parents = [*text.parents] if length else []
            linked = any(parent.name == "a" for parent in parents)
            for parent in parents:
                self.all[id(parent)] += length
                self.linked[id(parent)] += length * linked
                self.links[id(parent)] += linked
        links = body("a", href=True)
        pages = {link["href"] for link in links if _turns_page(link)}
        for link in links:
            for parent in link.parents if link["href"] in pages else ():
                self.turns[id(parent)] += 1

    def is_chrome(self, tag: Any) -> bool:
        """By its name, by words in its class or id, or because it holds only short links."""
        if tag.name not in BLOCKS or not self.all[id(tag)] or id(tag) in self.holds_content:
            return False
        inside = id(tag) in self.in_content
        if tag.name in FRAMES and not inside:
            return True
        # The footer of an article holds its tags and links, unless it has none and is a note.
        if _is_hinted(tag) or (tag.name == "footer" and self.links[id(tag)]):
            return self._is_small(tag)
        return self._turns_pages(tag) or (not inside and self._is_menu(tag))

    def _is_small(self, tag: Any) -> bool:
        prose = self.all[id(self.body)] - self.linked[id(self.body)]
        return self.all[id(tag)] - self.linked[id(tag)] <= SMALL * prose

    def _is_menu(self, tag: Any) -> bool:
        size, linked, links = self.all[id(tag)], self.linked[id(tag)], self.links[id(tag)]
        if tag.name == "table" and _is_grid(tag):
            return False
        return links >= LINKS and linked >= LINKED * size and linked <= SHORT * links

    def _turns_pages(self, tag: Any) -> bool:
        """Whether most of its links go to the next page and the like, with few words between."""
        links, between = self.links[id(tag)], self.all[id(tag)] - self.linked[id(tag)]
        return self.turns[id(tag)] > max(1, links / 2) and between <= BETWEEN * links


def _turns_page(link: Any) -> bool:
    """Whether a link goes to the next page and the like, by its `rel` or because a key does."""
    rel = {name.lower() for name in link.get("rel", [])}
    return bool(rel & REL or link.get("accesskey"))


def _is_hinted(tag: Any) -> bool:
    return _hints(" ".join(tag.get("class", []))) or (
        _hints(tag.get("id", "")) and not _is_anchor(tag)
    )


def _hints(names: str) -> bool:
    return any(HINT.fullmatch(word.lower()) for word in WORD.findall(names))


def _is_grid(table: Any) -> bool:
    """Whether it has several rows of several cells, as tables of values have and menus don't."""
    return sum(len(row.find_all(["td", "th"], recursive=False)) > 1 for row in table("tr")) > 1


def _is_anchor(tag: Any) -> bool:
    """Whether its id is made by a program: of most words of its heading, or of code.

    Neither a section "3.1. Shared cookies" nor a method "overlay(int)" is a cookie banner.
    """
    anchor = tag.get("id", "")
    heading, words = tag.find(HEADINGS), WORD.findall(anchor)
    letters = "".join(WORD.findall(heading.get_text())).lower() if heading else ""
    return bool(CODE.search(anchor)) or (
        2 * sum(word.lower() in letters for word in words) > len(words)
    )
