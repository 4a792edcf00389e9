"""A message as plain data, and how it is written for a channel.

1. `Message` holds lines of plain text: a headline that says everything on a lock screen, a body in order of importance, a foot
   with the ids. No markup is in it, so nothing in it can break markup.
2. `fitted` cuts the body to a limit that counts UTF-16 code units, as Telegram does; headline and foot stay.
3. `html` and `plain` write it. What Telegram reads out of `html` is, character by character, `plain`.
4. `repeated` is the same message when it may have been delivered before: the reader must not act twice.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Final

TEXT_UNITS: Final = 4096
"""The most UTF-16 code units that a text message of Telegram may have after its markup was read."""
CAPTION_UNITS: Final = 1024
"""The same of the caption of a picture."""
REPEAT_MARK: Final = "REPEAT? "
REPEAT_NOTE: Final = "This may be a repeat: an earlier attempt was cut off before it was known to have arrived."
_ID_LENGTH: Final = 10
_CUT: Final = "…"
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def message_id(natural_key: str) -> str:
    """The id that every copy of a message carries; it follows from what the message is about."""
    return hashlib.sha256(natural_key.encode()).hexdigest()[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Message:
    """What is said. The headline is one line and never empty; characters that no channel can carry are replaced."""

    headline: str
    body: tuple[str, ...]
    foot: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "headline", " ".join(_carried(self.headline).split()) or "GoldSignal")
        lines = (line.rstrip() for text in self.body for line in _carried(text).splitlines())
        # A line of white space would vanish from what Telegram shows, and its length with it.
        object.__setattr__(self, "body", tuple(line for line in lines if line))
        object.__setattr__(self, "foot", " ".join(_carried(self.foot).split()))

    @property
    def repeated(self) -> Message:
        """The same, saying that it may have been delivered before."""
        return replace(self, headline=REPEAT_MARK + self.headline, body=(REPEAT_NOTE, *self.body))

    def with_first_line(self, line: str) -> Message:
        """The same with a line before its body."""
        return replace(self, body=(line, *self.body))

    def to_json(self) -> str:
        """The message as text to be stored."""
        return json.dumps({"headline": self.headline, "body": self.body, "foot": self.foot}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Message:
        """The message that `to_json` wrote."""
        content = json.loads(text)
        return cls(content["headline"], tuple(content["body"]), content["foot"])


def html(message: Message, *, units: int = TEXT_UNITS) -> str:
    """The message in the HTML that Telegram reads: headline bold, foot in italics, everything else as it is."""
    head, body, foot = (_escaped(part) for part in _fitted(message, units))
    return "\n".join([f"<b>{head}</b>", *([body] if body else []), *([f"<i>{foot}</i>"] if foot else [])])


def plain(message: Message, *, units: int = TEXT_UNITS) -> str:
    """The message without any markup."""
    return "\n".join(part for part in _fitted(message, units) if part)


def utf16_units(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text) + sum(character > "\uffff" for character in text)


def clipped(text: str, units: int) -> str:
    """At most so many units of a text, ending with a sign where something was cut away."""
    if utf16_units(text) <= units:
        return text
    kept: list[str] = []
    left = units - utf16_units(_CUT)
    for character in text:
        left -= utf16_units(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _CUT


def _fitted(message: Message, units: int) -> tuple[str, str, str]:
    head = clipped(message.headline, units // 2)
    foot = clipped(message.foot, units // 4)
    left = units - utf16_units(head) - utf16_units(foot) - 2
    return head, clipped("\n".join(message.body), left), foot


def _carried(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)
