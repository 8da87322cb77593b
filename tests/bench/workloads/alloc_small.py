"""Small objects that come and go in CPython's own allocator: records to text and back again.

Usage: python alloc_small.py [SCALE]
"""

import json
import sys


def order(number):
    return {
        "order": number,
        "customer": {
            "name": f"customer {number % 311}",
            "city": "Aachen" if number % 3 else "Zwolle",
        },
        "lines": [
            {"article": f"a-{number * 7 + line}", "amount": line + 1, "price": (number + line) / 8}
            for line in range(number % 9 + 3)
        ],
        "paid": number % 2 == 0,
    }


def there_and_back(orders):
    texts = [json.dumps(each) for each in orders]
    parsed = [json.loads(text) for text in texts]
    by_city = {}
    for each in parsed:
        by_city.setdefault(each["customer"]["city"], []).append(
            sum(line["amount"] * line["price"] for line in each["lines"])
        )
    words = " ".join(texts).split(",")
    return len(words) + round(sum(sum(sums) for sums in by_city.values()))


def main(scale):
    total = 0
    for batch in range(max(1, round(150 * scale))):
        total += there_and_back([order(batch * 31 + number) for number in range(600)])
    print("alloc_small", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
