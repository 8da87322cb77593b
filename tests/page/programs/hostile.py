"""Functions and files whose names are markup, scripts, line ends, the other direction, and very long."""

NAMES = [
    "</script><script>window.hostile = 1</script>",
    "<img src=x onerror='window.hostile = 1'>",
    '"><svg onload="window.hostile = 1">',
    "line\nbreak\r\nand\u2028separator",
    "\u202egnp.exe\u2066",
    "<!--<script>",
    "${window.hostile = 1}`;window.hostile = 1//",
    "שלום עולם",
    "long" * 2_500,
]

kept = []
for number, name in enumerate(NAMES):
    made = compile(
        "def function(size):\n    kept.append(bytearray(size))\n", f"/hostile/{name}.py", "exec"
    )
    code = next(it for it in made.co_consts if hasattr(it, "co_name"))
    names = {"co_name": name}
    if hasattr(code, "co_qualname"):
        names["co_qualname"] = name
    type(lambda: 0)(code.replace(**names), globals())(1_000_000 + number)
