"""A pure-Python application: SQL is parsed, optimised and written in another dialect.

Usage: python app_sqlglot.py [SCALE]
"""

import sys

import sqlglot
from sqlglot.optimizer import optimize

SCHEMA = {
    "orders": {"id": "int", "customer": "int", "day": "date", "total": "double"},
    "lines": {"order_id": "int", "article": "int", "amount": "int", "price": "double"},
    "customers": {"id": "int", "name": "text", "city": "text"},
}

QUERIES = [
    """
    WITH large AS (
        SELECT o.customer, SUM(o.total) AS spent, COUNT(*) AS orders
        FROM orders AS o WHERE o.day >= DATE '2024-0{month}-01' GROUP BY o.customer HAVING SUM(o.total) > {limit}
    )
    SELECT c.name, l.spent / l.orders AS average, RANK() OVER (PARTITION BY c.city ORDER BY l.spent DESC) AS place
    FROM customers AS c JOIN large AS l ON l.customer = c.id
    WHERE c.city IN ('Aachen', 'Zwolle', 'Lyon') OR c.name LIKE 'A%' ORDER BY place LIMIT {limit}
    """,
    """
    SELECT article, SUM(amount * price) AS worth,
           CASE WHEN SUM(amount) > {limit} THEN 'much' WHEN SUM(amount) > 10 THEN 'some' ELSE 'few' END AS kind
    FROM lines WHERE order_id IN (SELECT id FROM orders WHERE EXTRACT(MONTH FROM day) = {month} AND total > 1 + 2 * 3)
    GROUP BY article UNION ALL SELECT article, 0, 'none' FROM lines WHERE amount = 0
    """,
]


def translated(query):
    tree = optimize(sqlglot.parse_one(query), schema=SCHEMA)
    return tree.sql(dialect="duckdb", pretty=True)


def main(scale):
    total = 0
    for turn in range(max(1, round(100 * scale))):
        for query in QUERIES:
            total += len(translated(query.format(month=turn % 9 + 1, limit=turn + 20)))
    print("app_sqlglot", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
