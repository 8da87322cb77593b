"""Functions and files whose names are made to break reports."""

NAMES = [
    '<script>alert("x")</script>',
    "</script><img src=x onerror=alert(1)>",
    "a,b\"c'd`e",
    "semi;colon|pipe\\backslash",
    "tab\tnewline\nreturn\r.",
    "\u202egnirts \u2067emos\u2069",
    "=HYPERLINK(1)",
    "{{ template }} ${shell} %s",
    "emoji \U0001f600 \u0000"[:-1],
    "long" * 2500,
]
KEPT = []


def hostile(name, bytes):
    def allocate(bytes):
        KEPT.append(bytearray(bytes))
        bytearray(2 * bytes)

    code = allocate.__code__.replace(co_name=name, co_filename=f"/{name}/{name[:200]}.py")
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname=name)
    allocate.__code__ = code
    allocate(bytes)


for number, name in enumerate(NAMES):
    hostile(name, 100_000 * (number + 1))
