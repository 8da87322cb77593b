"""Imports of large libraries, as many of these as the interpreter has.

Usage: python import_heavy.py [SCALE]     (SCALE changes nothing: a module is imported once)
"""

import importlib
import importlib.util

MODULES = {
    "pandas": ["pandas"],
    "sklearn": ["sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline"],
    "scipy": ["scipy.optimize", "scipy.signal", "scipy.stats"],
    "django": ["django.contrib.auth.hashers", "django.db.models", "django.forms", "django.views"],
    "polars": ["polars"],
    "sqlglot": ["sqlglot.optimizer"],
}


def main():
    found = [library for library in MODULES if importlib.util.find_spec(library)]
    if not found:
        raise SystemExit(f"import_heavy needs one of {', '.join(MODULES)}")
    for library in found:
        for module in MODULES[library]:
            importlib.import_module(module)
    print("import_heavy", *found)


if __name__ == "__main__":
    main()
