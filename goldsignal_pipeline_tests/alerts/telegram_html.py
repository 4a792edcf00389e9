"""What Telegram reads out of HTML, written independently and strictly after its documentation: anything doubtful is refused."""

from __future__ import annotations

TAGS = frozenset(["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "blockquote"])
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}


class ParseError(Exception):
    """What Telegram would answer: Bad Request: can't parse entities."""


def visible(html: str) -> str:
    """The text that a reader sees."""
    seen: list[str] = []
    open_tags: list[str] = []
    place = 0
    while place < len(html):
        character = html[place]
        if character == "<":
            end = html.find(">", place)
            if end < 0:
                raise ParseError(f"Unclosed start tag at byte offset {place}")
            name = html[place + 1 : end]
            if name.startswith("/"):
                if not open_tags or open_tags.pop() != name[1:]:
                    raise ParseError(f"Unexpected end tag at byte offset {place}")
            elif name in TAGS:
                open_tags.append(name)
            else:
                raise ParseError(f'Unsupported start tag "{name}" at byte offset {place}')
            place = end + 1
        elif character == ">":
            raise ParseError(f"Unescaped > at byte offset {place}")
        elif character == "&":
            end = html.find(";", place)
            if end < 0 or html[place + 1 : end] not in ENTITIES:
                raise ParseError(f"Unknown entity at byte offset {place}")
            seen.append(ENTITIES[html[place + 1 : end]])
            place = end + 1
        else:
            seen.append(character)
            place += 1
    if open_tags:
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return "".join(seen)


def units(text: str) -> int:
    """The length as Telegram counts it, by the encoding itself."""
    return len(text.encode("utf-16-le")) // 2
