#!/usr/bin/env python3
"""Draws a run's learning curve as an SVG file. Needs Python 3 alone.

    scripts/plot_run.py RUN_DIR --output curve.svg [--stage rl] [--chance 0.1]

Accuracy of the sampled completions (temperature 1) per optimizer step, greedy
accuracy where it was evaluated, and the mean length of a completion.
"""

import argparse
import json
import pathlib

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 56, 40, 44
BLUE, ORANGE, GREY = "#1f5fa8", "#c4651a", "#8a8a8a"


def text(x, y, content, anchor="middle", color="#333", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'fill="{color}" font-size="{size}">{content}</text>')


def line(points, color, dash=""):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<polyline points="{path}" fill="none" stroke="{color}" '
            f'stroke-width="2"{extra}/>')


def draw(rows, chance, title):
    steps = [row["step"] for row in rows]
    first, last = steps[0], max(steps[-1], steps[0] + 1)
    longest = max(row["train/completion_tokens_mean"] for row in rows)
    length_top = 10 * (int(longest / 10) + 1)

    def x(step):
        return LEFT + (step - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(share):
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(WIDTH / 2, 20, title, size=14),
    ]
    for tick in range(6):
        share = tick / 5
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" '
                     f'y2="{y(share):.1f}" stroke="#e4e4e4"/>')
        parts.append(text(LEFT - 8, y(share) + 4, f"{share:.1f}", "end", BLUE))
        parts.append(text(WIDTH - RIGHT + 8, y(share) + 4,
                          f"{share * length_top:.0f}", "start", ORANGE))
    for step in sorted({first, last, *range(first - first % 10, last, 10)}):
        if step >= first:
            parts.append(text(x(step), HEIGHT - BOTTOM + 18, str(step)))
    parts.append(text(WIDTH / 2, HEIGHT - 8, "optimizer step"))
    if chance:
        parts.append(line([(LEFT, y(chance)), (WIDTH - RIGHT, y(chance))], GREY,
                          "4 4"))
        parts.append(text(WIDTH - RIGHT - 4, y(chance) - 5, "chance", "end",
                          GREY))
    parts.append(line(
        [(x(r["step"]), y(r["train/completion_tokens_mean"] / length_top))
         for r in rows], ORANGE, "6 3"))
    parts.append(line([(x(r["step"]), y(r["train/accuracy"])) for r in rows],
                      BLUE))
    for row in rows:
        greedy = [value for key, value in row.items()
                  if key.startswith("eval/") and key.endswith("/greedy")]
        if greedy:
            parts.append(f'<circle cx="{x(row["step"]):.1f}" '
                         f'cy="{y(greedy[0]):.1f}" r="4" fill="{BLUE}"/>')
    parts.append(text(LEFT + 8, TOP + 4, "accuracy at T=1; dots: greedy, held out",
                      "start", BLUE))
    parts.append(text(LEFT + 8, TOP + 20, "mean tokens of a completion (right)",
                      "start", ORANGE))
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--stage", default="rl")
    parser.add_argument("--chance", type=float, default=0.0)
    args = parser.parse_args()
    with open(args.run / "metrics.jsonl") as file:
        rows = [json.loads(row) for row in file]
    rows = [row for row in rows if row["stage"] == args.stage]
    if not rows:
        parser.error(f"{args.run}/metrics.jsonl has no stage {args.stage}")
    args.output.write_text(draw(rows, args.chance, f"{args.run.name}: {args.stage}"))


main()
