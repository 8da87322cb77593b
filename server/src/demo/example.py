"""A day of sensor readings: a small program whose memory has something to tell."""

import array
import random


def read_sensors(count):
    """Every sensor's readings, one per second."""
    random.seed(1)
    readings = {}
    for sensor in range(count):
        readings[sensor] = array.array("d", bytes(8 * 86_400))  # holds data until the end
        for hour in range(24):
            readings[sensor][hour * 3600] = random.random()
    return readings


def smooth(values, width):
    """A copy that nobody keeps: it is gone when the caller has its mean."""
    padded = values + values[-width:]
    return array.array("d", padded[width:])


def means(readings):
    result = []
    for values in readings.values():
        result.append(sum(smooth(values, 60)[::3600]) / 24)
    return result


def report(readings):
    """Builds the whole text at once; writing it row by row would need almost nothing."""
    rows = [",".join(map(str, values[::100])) for values in readings.values()]
    return "\n".join(rows) * 50


def main():
    readings = read_sensors(count=12)
    averages = means(readings)
    text = report(readings)
    print(f"{len(averages)} sensors, {len(text):,} characters of report")


if __name__ == "__main__":
    main()
