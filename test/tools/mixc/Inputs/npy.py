"""Makes and rearranges .npy files (version 1, row-major) without NumPy.

  npy.py make FILE TYPE SIZE...               random numbers, TYPE is f4, f8, i4 or i8
  npy.py list FILE TYPE NUMBER...             a vector of whole numbers, TYPE is i4 or i8
  npy.py matrix FILE TYPE ROWS COLUMNS NUMBER...
  npy.py pages IN OUT ROWS                    [1, n, ..] as pages [n / ROWS, ROWS, ..], the last first
  npy.py transpose IN OUT DIM...              dimensions in a new order
  npy.py take IN OUT DIM INDEX                one index of a dimension, which goes away
  npy.py slice IN OUT DIM BEGIN END           some indices of a dimension
  npy.py shape FILE                           prints type and shape
"""
import ast
import itertools
import random
import struct
import sys

CODES = {"f4": "f", "f8": "d", "f2": "e", "V2": "H", "i4": "i", "i8": "q", "b1": "?"}


def read(path):
    with open(path, "rb") as file:
        assert file.read(8) == b"\x93NUMPY\x01\x00", path
        (length,) = struct.unpack("<H", file.read(2))
        header = ast.literal_eval(file.read(length).decode())
        kind = header["descr"][1:]
        data = file.read()
    count = len(data) // struct.calcsize(CODES[kind])
    return kind, list(header["shape"]), list(struct.unpack(f"<{count}{CODES[kind]}", data))


def write(path, kind, shape, values):
    sizes = "".join(f"{size}," for size in shape)
    header = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': ({sizes}), }}\n".encode()
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.write(struct.pack(f"<{len(values)}{CODES[kind]}", *values))


def strides_of(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return strides


def gather(values, shape, strides, start=0):
    places = itertools.product(*(range(0, n * s, s) if n * s else [0] * n
                                 for n, s in zip(shape, strides)))
    return [values[start + sum(place)] for place in places]


def main(command, path, *rest):
    if command == "make":
        kind, shape = rest[0], [int(size) for size in rest[1:]]
        count = 1
        for size in shape:
            count *= size
        source = random.Random(path + str(shape))
        draw = (lambda: source.gauss(0, 1)) if kind[0] == "f" else (lambda: source.randrange(3))
        write(path, kind, shape, [draw() for _ in range(count)])
    elif command == "list":
        write(path, rest[0], [len(rest) - 1], [int(number) for number in rest[1:]])
    elif command == "matrix":
        write(path, rest[0], [int(rest[1]), int(rest[2])], [int(number) for number in rest[3:]])
    elif command == "pages":
        kind, shape, values = read(path)
        rows = int(rest[1])
        shape[:2] = [shape[1] // rows, rows]
        page = len(values) // shape[0]
        pages = [values[n:n + page] for n in range(0, len(values), page)]
        write(rest[0], kind, shape, [value for own in reversed(pages) for value in own])
    elif command == "transpose":
        kind, shape, values = read(path)
        order, strides = [int(dim) for dim in rest[1:]], strides_of(shape)
        new_shape = [shape[dim] for dim in order]
        write(rest[0], kind, new_shape, gather(values, new_shape, [strides[d] for d in order]))
    elif command == "take":
        kind, shape, values = read(path)
        dim, index, strides = int(rest[1]), int(rest[2]), strides_of(shape)
        start = index * strides.pop(dim)
        shape.pop(dim)
        write(rest[0], kind, shape, gather(values, shape, strides, start))
    elif command == "slice":
        kind, shape, values = read(path)
        dim, begin, end, strides = int(rest[1]), int(rest[2]), int(rest[3]), strides_of(shape)
        shape[dim] = end - begin
        write(rest[0], kind, shape, gather(values, shape, strides, begin * strides[dim]))
    else:
        kind, shape, _ = read(path)
        print(kind, shape)


main(*sys.argv[1:])
