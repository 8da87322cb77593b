"""Generators that are made, and get an exception before they are started."""


def generator():
    yield


for _ in range(1000):
    made = generator()
    try:
        made.throw(ValueError)
    except ValueError:
        pass
