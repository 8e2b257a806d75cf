# SPDX-License-Identifier: Apache-2.0
"""The table that the benchmarks print, and its units."""


class Table:
    def __init__(self):
        self.rows = [("what", "ours", "peer or limit", "ratio", "to reach", "")]

    def row(self, what, ours, peer, ratio, reach, is_reached):
        text = "" if ratio is None else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"
        mark = {True: "yes", False: "NO", None: ""}[is_reached]
        self.rows.append((what, ours, peer, text, reach, mark))

    def print(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        for index, row in enumerate(self.rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
            if index == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def ns(value):
    return f"{value:.1f} ns" if value < 100 else f"{value:.0f} ns" if value < 1000 else f"{value / 1000:.2f} µs"


def ms(value):
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"
