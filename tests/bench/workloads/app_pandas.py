"""A script that works with tables: merge, group, pivot, with text and numbers.

Usage: python app_pandas.py [SCALE]
"""

import sys

import numpy as np
import pandas as pd

CITIES = ["Aachen", "Zwolle", "Lyon", "Turin", "Bergen"]


def orders(count, seed):
    chance = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer": chance.integers(0, 4_000, count),
            "article": chance.integers(0, 60, count),
            "month": chance.integers(1, 13, count),
            "price": chance.random(count).round(4),
        }
    )


def customers():
    numbers = np.arange(4_000)
    return pd.DataFrame(
        {
            "customer": numbers,
            "name": [f"customer {number}" for number in numbers],
            "city": [CITIES[number % len(CITIES)] for number in numbers],
        }
    )


def report(frame, people):
    joined = frame.merge(people, on="customer")
    joined["label"] = joined["city"].str.upper() + " " + joined["month"].astype(str)
    sums = joined.groupby(["city", "article"])["price"].agg(["sum", "mean", "count"])
    table = joined.pivot_table(index="label", columns="article", values="price", aggfunc="sum")
    best = joined.sort_values("price", ascending=False).drop_duplicates("customer").head(100)
    return float(sums["sum"].sum() + table.fillna(0.0).to_numpy().sum() + best["price"].sum())


def main(scale):
    people = customers()
    total = sum(report(orders(20_000, seed), people) for seed in range(max(1, round(60 * scale))))
    print("app_pandas", round(total, 3))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
