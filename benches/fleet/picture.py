"""How it grows: one small chart for each question, as SVG."""

from pathlib import Path

WIDTH, HEIGHT, GAP = 330, 190, 60  # of a chart's field, in pixels
PAPER, INK, PALE = "#ffffff", "#24292f", "#d0d7de"
COLOURS = ("#0969da", "#cf222e", "#1a7f37", "#8250df")
CHARTS = (
    ("From the call to the router, ms", {"idle_p50_ms": "idle, p50", "idle_p99_ms": "idle, p99"}),
    ("The same while all agents come back, ms", {"burst_p50_ms": "streams break, p50", "burst_p99_ms": "p99",
                                                "restart_p50_ms": "server restarts, p50", "restart_p99_ms": "p99"}),
    ("Until all are back, s", {"burst_s": "streams break", "restart_s": "server restarts"}),
    ("All planned and delivered from nothing, s", {"first_s": "first start"}),
    ("The server's memory at most, MB", {"memory_mb": "resident"}),
    ("The database, MB", {"stored_mb": "SQLite"}),
)  # fmt: skip


def draw(path: Path, table: list[dict]):
    across = 2
    charts = [
        chart(title, lines, table, GAP + n % across * (WIDTH + 1.6 * GAP), GAP + n // across * (HEIGHT + 1.6 * GAP))
        for n, (title, lines) in enumerate(CHARTS)
    ]
    width = across * (WIDTH + 1.6 * GAP) + GAP / 2
    height = (len(CHARTS) + across - 1) // across * (HEIGHT + 1.6 * GAP) + GAP / 2
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}"><rect width="100%" height="100%" fill="{PAPER}"/>'
        + "".join(charts)
        + "</svg>\n"
    )


def chart(title: str, lines: dict, table: list[dict], left: float, top: float) -> str:
    most_x = max(row["planned"] for row in table)
    most_y = rounded(max(row[name] for row in table for name in lines))

    def at(row: dict, name: str) -> tuple[float, float]:
        return left + WIDTH * row["planned"] / most_x, top + HEIGHT * (1 - row[name] / most_y)

    parts = [text(left, top - 14, title, weight="bold")]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + HEIGHT * (1 - share)
        parts.append(f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="{PALE}"/>')
        parts.append(text(left - 6, y + 4, f"{most_y * share:,.4g}", anchor="end"))
    for row in table:
        x, _ = at(row, next(iter(lines)))
        parts.append(text(x, top + HEIGHT + 16, f"{row['planned'] // 1000}", anchor="middle"))
    parts.append(text(left + WIDTH, top + HEIGHT + 32, "interfaces in plans, thousands", anchor="end"))
    for n, (name, label) in enumerate(lines.items()):
        points = [at(row, name) for row in table]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{COLOURS[n]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[n]}"/>' for x, y in points]
        parts.append(text(left + 8, top + 14 + 15 * n, label, colour=COLOURS[n]))
    return "".join(parts)


def text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal", colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">{words}</text>'


def rounded(value: float) -> float:
    """Up to one of 1, 2, 4, 8 times a power of ten."""
    power = 10.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)
