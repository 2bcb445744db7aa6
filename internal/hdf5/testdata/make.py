"""Writes the files of files.zip with h5py, and expected.json with what h5py reads from them.

    node make.mjs FOLDER_OF_NODE_MODULES h5wasm.h5
    python3 make.py files.zip h5wasm.h5    writes the archive, with files that others wrote
    python3 make.py describe FILE          prints what is in a file: path -> {"type", "shape", "runs": [[value, how often], ...],
                                           "attrs": {name: the same}}. A group has only attributes, and "names" of its members
"""
import ctypes
import json
import os
import sys
import tempfile
import zipfile

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t

folder = tempfile.mkdtemp()
rng = np.random.default_rng(1)


def value(x):
    if isinstance(x, bytes):
        return x.decode()
    if isinstance(x, str):
        return x
    if isinstance(x, (bool, np.bool_)):
        return int(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    x = float(x)
    return x if np.isfinite(x) else repr(x)


def describe(data):
    if isinstance(data, h5py.Empty):
        return {"type": str(data.dtype), "shape": [0], "runs": []}
    a = np.asarray(data)
    runs = []
    for x in a.reshape(-1):
        v = value(x)
        if runs and repr(runs[-1][0]) == repr(v):
            runs[-1][1] += 1
        else:
            runs.append([v, 1])
    return {"type": "text" if a.dtype.kind in "SOU" else str(a.dtype), "shape": list(a.shape), "runs": runs}


def attributes(o):
    return {k: describe(v) for k, v in o.attrs.items()}


def expected(path):
    tree = {}

    def visit(name, o):
        if isinstance(o, h5py.Dataset):
            data = o[()]
            if o.attrs.get("dtype") == "bfloat16":
                data = (np.asarray(data).view("u2").astype("u4") << 16).view("f4")
            tree[name] = describe(data) | {"attrs": attributes(o)}
        elif isinstance(o, h5py.Group):
            tree[name] = {"attrs": attributes(o), "names": list(o)}

    with h5py.File(path, "r") as f:
        visit("", f["/"])
        f.visititems(visit)
    return tree


def types(f):
    x = [0, 1, 2, 127, 100, -1, -128]
    for t in "i1 <i2 >i2 <i4 >i4 <i8 >i8".split():
        f[f"types/{t}"] = np.array(x, t)
    for t in "u1 <u2 >u2 <u4 >u4 <u8 >u8".split():
        f[f"types/{t}"] = np.array([0, 1, 255], t)
    f["types/last"] = np.array([2**31 - 1, -2**53, 2**53], "i8")
    f["types/bool"] = np.array([True, False, True])
    for t in "<f2 >f2 <f4 >f4 <f8 >f8".split():
        f[f"types/{t}"] = np.array([0, -0.0, 1 / 3, -65504, 6e-8, 6.1e-5, np.inf, -np.inf, np.nan, 2.5], t)
    f["types/bfloat16"] = np.array([0, 0x3f80, 0xc000, 0x7f80, 0x0001, 0x3eab], "u2").view("V2")
    f["types/bfloat16"].attrs["dtype"] = "bfloat16"
    f["types/scalar"] = np.float32(1.5)
    f["types/empty"] = h5py.Empty("f4")
    f["types/none"] = np.zeros((0, 4), "f4")
    f["types/fixed"] = np.array([b"a", b"", b"longer"])
    f["types/variable"] = np.array(["é", "", "much longer than sixteen bytes"], h5py.string_dtype())
    f["types/one"] = "text"


def attrs(o, many):
    o.attrs["text"] = "é text"
    o.attrs["bytes"] = b"bytes"
    o.attrs["fixed"] = np.bytes_("fixed")
    o.attrs["empty text"] = ""
    o.attrs["list"] = np.array([b"dense", b"dense_1", "été".encode()])
    o.attrs["variable list"] = ["x", "yy", ""]
    o.attrs["no list"] = []
    o.attrs["float"] = 0.1
    o.attrs["half"] = np.float16(0.1)
    o.attrs["int"] = -3
    o.attrs["ints"] = np.arange(5, dtype=">i4")
    o.attrs["bool"] = True
    o.attrs["nothing"] = h5py.Empty("f8")
    o.attrs["long text"] = "0123456789" * 7000
    for i in range(many):
        o.attrs[f"a{i}"] = i


def split(o, n):
    names = [f"block_{i}/dense_{i}/kernel:0".encode() for i in range(n)]
    for i, part in enumerate(np.array_split(names, 3)):
        o.attrs[f"names{i}"] = part


def layouts(f):
    a = rng.standard_normal((13, 7, 3)).astype("f4")
    f.create_dataset("contiguous", data=a)
    deflate = dict(compression="gzip", compression_opts=9)
    for name, options in {
        "plain": {},
        "deflate": deflate,
        "shuffle": dict(shuffle=True, **deflate),
        "fletcher": dict(fletcher32=True),
        "all": dict(shuffle=True, fletcher32=True, **deflate),
        "shuffle only": dict(shuffle=True),
    }.items():
        f.create_dataset(f"chunked/{name}", data=a, chunks=(5, 7, 2), **options)
        f.create_dataset(f"one chunk/{name}", data=a, chunks=a.shape, **options)
        f.create_dataset(f"one dimension without end/{name}", data=a, chunks=(4, 3, 2), maxshape=(13, None, 5), **options)
        f.create_dataset(f"two dimensions without end/{name}", data=a, chunks=(4, 3, 2), maxshape=(None, 9, None), **options)
        f.create_dataset(f"may grow/{name}", data=a, chunks=(4, 3, 2), maxshape=(20, 20, 20), **options)
    f.create_dataset("text in chunks", data=np.array(["a", "bb", "", "ccc"], h5py.string_dtype()), chunks=(3,))
    d = f.create_dataset("some chunks", (20, 20), "i4", chunks=(3, 4), fillvalue=7, **deflate)
    d[4, 4:9] = 1
    d = f.create_dataset("shrunk", data=np.arange(100.0), chunks=(8,), maxshape=(None,))
    d.resize((37,))
    f.create_dataset("never written", (3, 3), "f4", fillvalue=-1.5)
    f.create_dataset("never written, zero", (3, 3), "f8")
    f.create_dataset("no chunk", (3, 3), "f4", fillvalue=2, chunks=(2, 2))
    f.create_dataset("no rows", (0, 3), "f4", chunks=(2, 2), maxshape=(None, 3))
    # compact
    p = h5p.create(h5p.DATASET_CREATE)
    p.set_layout(h5d.COMPACT)
    d = h5d.create(f.id, b"compact", h5t.IEEE_F32LE, h5s.create_simple((4,)), p)
    d.write(h5s.ALL, h5s.ALL, np.arange(4, dtype="f4"))
    # all chunks at once, which need no index
    p = h5p.create(h5p.DATASET_CREATE)
    p.set_chunk((2, 3))
    p.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    d = h5d.create(f.id, b"early", h5t.IEEE_F32LE, h5s.create_simple((5, 7), (8, 9)), p)
    d.write(h5s.ALL, h5s.ALL, np.arange(35, dtype="f4").reshape(5, 7))


def indexes(f):
    """Indexes of so many chunks that they have pages, super blocks and several levels."""
    d = f.create_dataset("fixed array in pages", (5000,), "i1", chunks=(2,), fillvalue=3)
    d[1] = 1
    d[2500:2520] = 2
    d[4999] = 4
    d = f.create_dataset("extensible array", (140000,), "i1", chunks=(1,), maxshape=(None,), fillvalue=3)
    for i in [0, 3, 4, 10, 30, 400, 5000, 131070, 131080, 135200, 136190, 139999]:
        d[i] = i % 100
    d = f.create_dataset("extensible rows", (40, 60), "i2", chunks=(1, 50), maxshape=(100, None), fillvalue=3, compression="gzip")
    d[3:7] = 5
    d[39] = 6
    d = f.create_dataset("tree", (60, 60), "i1", chunks=(2, 2), maxshape=(None, None))
    d[:] = np.arange(3600).reshape(60, 60) % 100
    d = f.create_dataset("filtered tree", (60, 60), "i1", chunks=(7, 7), maxshape=(None, None), shuffle=True, compression="gzip")
    d[:] = np.arange(3600).reshape(60, 60) % 100


def members(f):
    for n in [1, 8, 9, 600]:
        for order in [False, True]:
            g = f.create_group(f"{n} members{' in order' if order else ''}", track_order=order)
            for i in range(n):
                g[f"m{n - i}"] = np.float32(i)
    g = f["1 members"]
    g["n" * 300] = 1
    f["a/b/c/d"] = [1, 2]


def long_names(f):
    """So many that the blocks of the first table of a fractal heap do not hold them."""
    for i in range(160):
        f[f"{'n' * 3900}{i}"] = i


def shared(f):
    f["type"] = np.dtype("<f4")
    f.create_dataset("data", data=[1.5, 2.5], dtype=f["type"])
    f["data"].attrs.create("attr", [3.5], dtype=f["type"])


def refused(f):
    a = np.zeros(4, "f4")
    f["data"] = a
    f["group/data"] = a
    f["soft"] = h5py.SoftLink("/data")
    f["external"] = h5py.ExternalLink("/etc/passwd", "/data")
    f["hard"] = f["data"]
    f["group/up"] = f["group"]
    f["group/root"] = f["/"]
    f.create_dataset("external storage", (4,), "f4", external=[("/etc/hostname", 0, 16)])
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "data", (4,))
    f.create_virtual_dataset("virtual", layout)
    f["compound"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
    f["reference"] = np.array([f["data"].ref], h5py.ref_dtype)
    f.create_dataset("lzf", data=np.zeros(100, "f4"), compression="lzf")
    f.create_dataset("scaleoffset", data=np.zeros(100, "i4"), scaleoffset=4)
    f["type"] = np.dtype("<f4")
    g = f
    for i in range(70):
        g = g.create_group("g")


def make(name, fill, **options):
    path = os.path.join(folder, name + ".h5")
    with h5py.File(path, "w", **options) as f:
        fill(f)
    return path


def everything(f):
    types(f)
    attrs(f, 0)
    attrs(f.create_group("few"), 3)
    attrs(f.create_dataset("attributes of data", data=1), 3)
    split(f.create_group("split"), 40)
    layouts(f)


def newest(f):
    everything(f)
    attrs(f.create_group("many", track_order=True), 40)
    f["few"].attrs["a list beyond a header"] = np.array([b"x" * 200] * 400)


def old(**sizes):
    """A file with a superblock of version 1, which another number of chunks in a node of a tree needs, or with short addresses."""
    p = h5p.create(h5p.FILE_CREATE)
    if sizes:
        p.set_sizes(4, 4)
    else:
        library = next(line.split()[-1] for line in open("/proc/self/maps") if "libhdf5_serial.so" in line or "libhdf5.so" in line)
        ctypes.CDLL(library).H5Pset_istore_k(ctypes.c_int64(p.id), ctypes.c_uint(20))
    path = os.path.join(folder, "addresses_of_4.h5" if sizes else "superblock_1.h5")
    with h5py.File(h5f.create(path.encode(), h5f.ACC_TRUNC, p)) as f:
        everything(f)
    return path


def main():
    paths = [
        make("earliest", everything, libver="earliest"),
        make("earliest_members", members, libver="earliest"),
        make("v108", everything, libver=("v108", "v108")),
        make("latest", newest, libver="latest"),
        make("latest_members", members, libver="latest"),
        make("long_names", long_names, libver="latest"),
        make("indexes", indexes, libver="latest"),
        make("indexes_tree1", lambda f: (indexes(f), f.__delitem__("extensible array")), libver="earliest"),
        make("shared", shared, libver="earliest"),
        make("shared_latest", shared, libver="latest"),
        make("userblock", types, libver="earliest", userblock_size=1024),
        make("ordered", members, track_order=True),
        old(),
        old(sizes=4),
    ]
    paths += sys.argv[2:]
    want = {os.path.basename(p): expected(p) for p in paths}
    paths += [make("refused", refused, libver="earliest"), make("refused_latest", refused, libver="latest")]
    with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for p in paths:
            z.write(p, os.path.basename(p))
        z.writestr("expected.json", json.dumps(want))


if sys.argv[1] == "describe":
    print(json.dumps(expected(sys.argv[2])))
else:
    main()
