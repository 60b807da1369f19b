"""The README's pictures: runs a command in a terminal and draws what it printed as SVG.

    pictures.py OUT.svg [--columns N] [--shown "make demo"] -- COMMAND …

What a terminal would show is drawn, nothing is retouched: SGR colours, bold and dim; a carriage return writes a line
anew. The picture fails where the command fails.
"""

import argparse
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import escape

CHARACTER, LINE, MARGIN, BAR = 8.4, 19, 18, 34  # pixels
PAPER, FRAME, INK = "#0f141a", "#1c232c", "#d7dee6"
COLOURS = dict(enumerate(("#5c6773", "#f07178", "#a3d76e", "#f2c46d", "#6cb6ff", "#c7a0f5", "#5fd3c6", "#d7dee6")))
BRIGHT = dict(enumerate(("#7f8b99", "#ff8f94", "#c0ec8f", "#ffd98c", "#93cbff", "#dbbeff", "#86e6db", "#ffffff")))


@dataclass(frozen=True)
class Style:
    colour: str = INK
    bold: bool = False
    dim: bool = False

    def after(self, code: int) -> "Style":
        if code == 0:
            return Style()
        if code in (1, 2):
            return replace(self, **{("bold", "dim")[code - 1]: True})
        if code == 22:
            return replace(self, bold=False, dim=False)
        if 30 <= code <= 37:
            return replace(self, colour=COLOURS[code - 30])
        if 90 <= code <= 97:
            return replace(self, colour=BRIGHT[code - 90])
        return replace(self, colour=INK) if code == 39 else self

    def attributes(self) -> str:
        said = f' fill="{self.colour}"' if self.colour != INK else ""
        said += ' font-weight="bold"' if self.bold else ""
        return said + (' opacity="0.65"' if self.dim else "")


def run(command: list[str], columns: int) -> str:
    """What the command prints into a terminal of so many columns; shown meanwhile."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execvp(command[0], command)
    printed = b""
    while chunk := read(terminal):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        printed += chunk
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit {os.waitstatus_to_exitcode(status)}; no picture of that")
    return printed.decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: the child closed its end
        return b""


def rows(printed: str) -> list[list[tuple[str, Style]]]:
    """Lines of characters with their style."""
    made, style = [], Style()
    for text in printed.replace("\r\n", "\n").rstrip().split("\n"):
        row, at = [], 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|[^\x1b\r]", text):
            if part == "\r":
                at = 0
            elif part.endswith("K") and part.startswith("\x1b"):
                row = row[:at] if part == "\x1b[K" else []
            elif part.endswith("m") and part.startswith("\x1b"):
                for code in part[2:-1].split(";"):
                    style = style.after(int(code or 0))
            elif not part.startswith("\x1b"):
                row[at : at + 1] = [(part, style)]
                at += 1
        made.append(row)
    return made


def drawing(screen: list, columns: int, shown: str) -> str:
    width, height = columns * CHARACTER + 2 * MARGIN, len(screen) * LINE + BAR + 2 * MARGIN
    said = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(shown)}">',
        f'<rect width="100%" height="100%" rx="9" fill="{PAPER}"/>',
        f'<path d="M0 {BAR}V9a9 9 0 0 1 9-9h{width - 18:.0f}a9 9 0 0 1 9 9v{BAR - 9}z" fill="{FRAME}"/>',
        "".join(f'<circle cx="{20 + 18 * i}" cy="{BAR / 2}" r="5" fill="{c}"/>' for i, c in enumerate(("#f07178", "#f2c46d", "#a3d76e"))),
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="{INK}" xml:space="preserve">',
        f'<text x="{width / 2:.0f}" y="22" text-anchor="middle" opacity="0.65">{escape(shown)}</text>',
    ]  # fmt: skip
    for number, row in enumerate(screen):
        for column, text, style in runs(row):
            if text.strip():
                x, y = MARGIN + column * CHARACTER, BAR + MARGIN + LINE * number + 13
                length = len(text) * CHARACTER
                said.append(
                    f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}"{style.attributes()}>{escape(text)}</text>'
                )
    return "\n".join([*said, "</g>", "</svg>", ""])


def runs(row: list[tuple[str, Style]]):
    """Neighbours of one style, with the column where they begin."""
    begin = 0
    for column in range(1, len(row) + 1):
        if column == len(row) or row[column][1] != row[begin][1]:
            yield begin, "".join(character for character, _ in row[begin:column]), row[begin][1]
            begin = column


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=110)
    parser.add_argument("--shown", help="what stands over the picture; by default the command")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    screen = rows(run(asked.command, asked.columns))
    columns = max(40, *(len(row) for row in screen))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(drawing(screen, columns, asked.shown or " ".join(asked.command)))


if __name__ == "__main__":
    main()
