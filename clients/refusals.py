"""Tables of bad requests: what is asked, which code must come back, what its text must mention.

A `<word>` in a request stands for something that exists only at run time, for example `<connection>`; `fill` puts it in.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Row:
    claim: str
    asked: str
    parameters: dict
    codes: set[str]  # any of them; `9*` where only the class is known of the real service
    says: tuple[str, ...]

    def __str__(self):
        return self.claim

    def allows(self, code: str) -> bool:
        return any(fnmatchcase(code, pattern) for pattern in self.codes)


def fill(value, things: dict):
    """`value` with every `<word>` replaced from `things`."""
    if isinstance(value, dict):
        return {name: fill(member, things) for name, member in value.items()}
    if isinstance(value, list):
        return [fill(member, things) for member in value]
    if isinstance(value, str):
        return re.sub(r"<(\w+)>", lambda word: str(things[word[1]]), value)
    return value


def missing_words(says: tuple[str, ...], text: str, things: dict) -> list[str]:
    """Which of the promised words are not in a refusal's text."""
    wanted = [fill(word, things) for word in says]
    return [word for word in wanted if word.lower() not in text.lower()]
