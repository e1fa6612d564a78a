"""EDF and BDF files written byte by byte: rates, units and record times of any kind."""

import numpy as np

CHANNELS = ("Fp1", "Fp2", "C3", "Cz")


def write_edf(
    path,
    data,
    rates,
    names=CHANNELS,
    units="uV",
    starts=None,
    marks=(),
    limit=3276.75,
    stated=None,
):
    """Write records of 1 s; values in the unit of the file.

    `starts` are the times of the records and make it discontinuous; `marks` are (record, text) of
    annotations, in EDF's own form.
    """
    bdf = path.suffix.lower() == ".bdf"
    number = 3 if bdf else 2
    top = 2 ** (8 * number - 1) - 1
    names, rates = list(names), list(rates)
    units = [units] * len(names) if isinstance(units, str) else list(units)
    limits = [(-limit, limit, -top, top)] * len(names)
    if starts is not None:
        names.append("BDF Annotations" if bdf else "EDF Annotations")
        rates.append(60)
        units.append("")
        limits.append((-1, 1, -top - 1, top))
    count = min(len(row) // rate for row, rate in zip(data, rates, strict=False))

    def cell(value, width):
        return str(value).encode("latin-1")[:width].ljust(width)

    kind = "" if starts is None else ("BDF+D" if bdf else "EDF+D")
    head = b"\xffBIOSEMI" if bdf else cell(0, 8)
    head += cell("X X X X", 80) + cell("Startdate 01-JAN-2020 X X X", 80)
    head += cell("01.01.20", 8) + cell("00.00.00", 8) + cell(256 * (len(names) + 1), 8)
    head += cell(kind, 44) + cell(count if stated is None else stated, 8) + cell(1, 8)
    head += cell(len(names), 4)
    columns = [(names, 16), ([""] * len(names), 80), (units, 8)]
    columns += [([limit[k] for limit in limits], 8) for k in range(4)]
    columns += [([""] * len(names), 80), (rates, 8), ([""] * len(names), 32)]
    for values, width in columns:
        head += b"".join(cell(value, width) for value in values)
    parts = [head]
    for record in range(count):
        for row, rate in zip(data, rates, strict=False):
            values = np.round(row[record * rate : (record + 1) * rate] / limit * top)
            whole = np.clip(values, -top, top).astype("<i4")
            parts.append(whole.view(np.uint8).reshape(-1, 4)[:, :number].tobytes())
        if starts is not None:
            text = f"+{starts[record]:g}\x14\x14\0".encode()
            text += b"".join(f"{mark}\x14\0".encode() for when, mark in marks if when == record)
            parts.append(text.ljust(60 * number, b"\0"))
    path.write_bytes(b"".join(parts))
    return path
