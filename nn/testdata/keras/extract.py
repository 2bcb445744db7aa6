"""Lifts the numbers out of Keras' own tests: python3 extract.py <git directory of keras-team/keras> [tag].

It runs the test methods of a Keras release with numpy and with stand-ins for all of Keras. A stand-in computes nothing: it
records the arguments that a loss, a metric, an activation or an optimizer is given, and what an assertion then expects of it.
That is written to the JSON files beside this script. Where a test's inputs are random, they are those of a fixed seed.

Inputs are laid out as rows of the last axis, or of the axes that a class is told to work along, weights as one for each row.
"missed" in a file names the assertions about numbers of classes that we have which were not lifted, "other" those that are
about something else, each with the reason.

Keras is under the Apache License 2.0. What is taken are facts: numbers, names of classes and of their arguments.
"""

import ast
import contextlib
import importlib.abc
import importlib.machinery
import itertools
import json
import os
import subprocess
import sys
import types

import numpy as np

FILES = {
    "activations": ["activations/activations_test.py"],
    "losses": ["losses/losses_test.py"],
    "metrics": ["metrics/%s_metrics_test.py" % f for f in (
        "accuracy", "confusion", "correlation", "f_score", "hinge", "iou", "probabilistic", "reduction", "regression")],
    "optimizers": ["optimizers/%s_test.py" % f for f in (
        "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion", "loss_scale_optimizer", "muon",
        "nadam", "rmsprop", "schedule_free_adamw", "sgd")],
}

# Classes that Espalier does not have. The Go test demands that it is so.
ABSENT = {"CTC", "Circle", "CategoricalGeneralizedCrossEntropy", "Mean", "Sum", "MeanMetricWrapper", "ScheduleFreeAdamW",
          "LossScaleOptimizer"}

STATES = {"true_positives", "true_negatives", "false_positives", "false_negatives", "total_cm"}

# Metrics whose elements all count by themselves, so that each can be a row with a weight of its own.
ELEMENTWISE = {"Accuracy", "BinaryAccuracy", "FalsePositives", "FalseNegatives", "TruePositives", "TrueNegatives", "Precision",
               "Recall", "AUC", "SensitivityAtSpecificity", "SpecificityAtSensitivity", "PrecisionAtRecall",
               "RecallAtPrecision", "IoU", "MeanIoU", "BinaryIoU", "MeanSquaredError", "MeanAbsoluteError"}


class Missed(Exception):
    """What cannot be lifted of a class that we have."""


class Other(Exception):
    """What is no number of a class that we have."""


git_dir, tag = sys.argv[1], (sys.argv[2:] or ["v3.15.1"])[0]


def source(path):
    return subprocess.run(["git", "--git-dir", git_dir, "show", "%s:keras/src/%s" % (tag, path)], check=True,
                          capture_output=True, text=True).stdout


def signatures():
    """The names of the positional parameters of all classes and functions that the tests can use."""
    names = {}
    for path in {"losses/losses.py"} | {f.replace("_test.py", ".py") for files in FILES.values() for f in files}:
        for node in ast.parse(source(path)).body:
            if isinstance(node, ast.FunctionDef):
                names[node.name] = [a.arg for a in node.args.args]
            if isinstance(node, ast.ClassDef):
                for f in node.body:
                    if isinstance(f, ast.FunctionDef) and f.name == "__init__":
                        names[node.name] = [a.arg for a in f.args.args][1:]
    return names


SIGNATURES = signatures()


# The stand-ins

class Name:
    """Anything of Keras: a module, a class or a function."""

    def __init__(self, path):
        self._path = path

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return FIXED.get(name) if name in FIXED else Name(self._path + "." + name)

    def __mro_entries__(self, bases):
        return (object,)

    def __call__(self, *args, **kwargs):
        name = self._path.split(".")[-1]
        if name.startswith("from_config") or name == "get":
            return Nothing()
        kwargs = dict(zip(SIGNATURES.get(name, []), args)) | kwargs
        if name[0].isupper():
            return Object(name, kwargs)
        if "activations" in self._path:
            x = np.asarray(kwargs.pop("x"))
            elements = np.arange(x.size).reshape(x.shape)
            if name == "glu":  # halves its axis, which goes last
                axis = kwargs.pop("axis", -1)
                x = np.moveaxis(x, axis, -1)
                elements = np.arange(x.size // 2).reshape(*x.shape[:-1], x.shape[-1] // 2)
                elements = np.moveaxis(elements, -1, axis)
            return Result(("activation", name, x, kwargs), elements)
        if "y_true" in kwargs and self._path.split(".")[-2] in ("losses", "correlation_metrics"):
            return Result(("function", name, kwargs))
        return Nothing()


class Nothing:
    """What no assertion is lifted of."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __call__(self, *args, **kwargs):
        return Nothing()

    def __getitem__(self, key):
        return Nothing()

    def __len__(self):
        return 0

    def __iter__(self):
        return iter(())


class Result:
    """What Keras would compute. Of an activation, some elements can be taken out."""

    __array_ufunc__ = None

    def __init__(self, of, elements=None):
        self.of, self.elements = of, elements

    def __getitem__(self, key):
        if self.elements is None:
            raise Missed("an element of a result")
        return Result(self.of, self.elements[key])

    def numpy(self):
        return self

    @property
    def shape(self):
        return Nothing()


class Variable:
    """A weight, with the gradients that an optimizer has stepped it with."""

    __array_ufunc__ = None

    def __init__(self, value, dtype=None, name=None, **_):
        self.value, self.name, self.optimizer, self.gradients = np.asarray(value, "float64"), name, None, []

    def numpy(self):
        return Result(("variable", self))


class Object:
    """A loss, a metric or an optimizer."""

    def __init__(self, name, kwargs):
        self._name, self._kwargs, self._updates, self._undecayed = name, kwargs, [], []

    def __call__(self, y_true, y_pred, sample_weight=None):
        if PACKAGE == "losses":
            return Result(("loss", self._name, self._kwargs, y_true, y_pred, sample_weight))
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def update_state(self, y_true, y_pred=None, sample_weight=None):
        self._updates.append((y_true, y_pred, sample_weight))

    def result(self):
        return Result(("metric", self._name, self._kwargs, list(self._updates)))

    def reset_state(self):
        self._updates = []

    def exclude_from_weight_decay(self, var_list=(), var_names=()):
        self._undecayed += [*var_list, *var_names]

    def apply_gradients(self, pairs):
        for g, v in pairs:
            if v.optimizer not in (None, self) and (v.optimizer._kwargs != self._kwargs or np.any(g)):
                v.value = None
            v.optimizer = self  # of two that are alike and see no gradient, one after the other is as one
            v.gradients.append(np.asarray(g))

    def update_step(self, g, v, rate):
        plain = {k: 0 for k in ("weight_decay", "adam_weight_decay") if k in SIGNATURES[self._name]}  # that comes before it
        v.optimizer = Object(self._name, self._kwargs | plain | {"learning_rate": rate})
        v.gradients.append(np.asarray(g))

    def _clip_gradients(self, gradients):
        return [Result(("clip", self, np.asarray(g))) for g in gradients]

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Result(("state", self._name)) if name in STATES else Nothing()


class Tests:
    """Assertions as they are in a test of Keras."""

    def setUp(self):
        pass

    def assertAllClose(self, actual, desired, atol=1e-6, rtol=1e-6, tpu_atol=None, tpu_rtol=None, msg=None):
        note(actual, desired, atol, rtol)

    def assertAlmostEqual(self, actual, desired, decimal=3, tpu_decimal=None, msg=None):
        note(actual, desired, 1.5 * 10.0**-decimal, 0)

    def assertEqual(self, actual, desired, msg=None):
        note(actual, desired, 0, 0)

    assertAllEqual = assertEqual

    def assertRaisesRegex(self, *_, **__):
        return contextlib.suppress(Exception)

    assertRaises = assertRaisesRegex

    def subTest(self, *_, **__):
        return contextlib.nullcontext()

    def __getattr__(self, name):
        if name.startswith("assert") or name.startswith("run_"):
            return lambda *_, **__: None
        raise AttributeError(name)


def parameters(*cases):
    if len(cases) == 1 and isinstance(cases[0], list):
        cases = cases[0]

    def mark(f):
        f.cases = cases
        return f
    return mark


def named_parameters(*cases):
    if len(cases) == 1 and isinstance(cases[0], list):
        cases = cases[0]
    return parameters([{k: v for k, v in c.items() if k != "testcase_name"} if isinstance(c, dict) else tuple(c[1:]) for c in cases])


def skipif(condition, reason=""):
    def mark(f):
        f.skipped = condition
        return f
    return mark


def one_hot(x, num_classes, dtype="float32"):
    return np.eye(num_classes, dtype=dtype)[np.asarray(x)]


def symbolic(*_, **__):
    raise Other("symbolic tensors")


ops = types.SimpleNamespace(
    array=np.array, convert_to_tensor=np.array, arange=np.arange, full=np.full, zeros=np.zeros, ones=np.ones, log=np.log,
    cast=lambda x, dtype: np.asarray(x).astype(dtype), transpose=np.transpose, one_hot=one_hot, expand_dims=np.expand_dims)
FIXED = {
    "backend": types.SimpleNamespace(backend=lambda: "torch", floatx=lambda: "float32", Variable=Variable,
                                     shape=lambda x: Nothing(), compute_output_spec=symbolic),
    "ops": ops, "convert_to_tensor": np.array, "TestCase": Tests,
    "parameterized": types.SimpleNamespace(parameters=parameters, named_parameters=named_parameters, TestCase=object,
                                           product=lambda **k: parameters([dict(zip(k, v))
                                                                           for v in itertools.product(*k.values())])),
}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes every import of Keras and of test tools a stand-in."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "absl", "pytest"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: getattr(Name(spec.name), name)
        if spec.name == "pytest":
            mark = types.SimpleNamespace(skipif=skipif, requires_trainable_backend=skipif(True))
            module.mark = mark
            module.raises = module.warns = lambda *_, **__: contextlib.suppress(Exception)
        return module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Finder())


# What an assertion becomes

def number(v):
    v = float("%.9g" % v)
    return "nan" if v != v else "inf" if v == float("inf") else int(v) if v == int(v) and abs(v) < 1e15 else v


def plain(v):
    if isinstance(v, np.ndarray):
        return plain(v.tolist())
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, (bool, np.bool_)):
        return bool(v)
    if isinstance(v, (int, float, np.number)):
        return number(v)
    if v is None or isinstance(v, str):
        return v
    raise Missed("an argument that is %s" % type(v).__name__)


def floats(v):
    """The array as Keras gets it, in float32."""
    v = np.asarray(v)
    if v.dtype.kind not in "biuf":
        raise Missed("an input of %s" % v.dtype)
    return v.astype("float32") if v.dtype.kind == "f" else v.astype("int64")


def config(name, kwargs):
    kwargs = {k: v for k, v in kwargs.items() if k not in ("y_true", "y_pred", "y")}
    if kwargs.get("dtype") in ("float16", "bfloat16"):
        raise Other("dtype " + kwargs["dtype"])
    if name not in ("IoU", "MeanIoU", "BinaryIoU", "OneHotIoU", "OneHotMeanIoU"):
        kwargs.pop("dtype", None)
    if "reduction" in kwargs and kwargs["reduction"] is None:
        kwargs["reduction"] = "none"
    return {k: plain(v) for k, v in kwargs.items()}


def rows(name, y_true, y_pred, weight, kwargs):
    """A batch: rows of predictions, their targets, a weight for each row."""
    true, pred = floats(y_true), floats(y_pred)
    axis = kwargs.get("axis")
    if isinstance(axis, int) and axis != -1 and pred.ndim > 2 and axis % pred.ndim != pred.ndim - 1:
        pred, kwargs["axis"] = np.moveaxis(pred, axis, -1), -1
    elif isinstance(axis, (list, tuple)) and list(axis) == list(range(1, pred.ndim)) and pred.ndim > 2:
        pred, true, kwargs["axis"] = pred.reshape(len(pred), -1), true.reshape(len(true), -1), [1]
    if pred.ndim < 2:
        pred = pred.reshape(1, -1) if kwargs.get("top_k") else pred.reshape(-1, 1)
    n, cols = pred.size // pred.shape[-1], pred.shape[-1]
    if weight is not None:
        w = floats(weight)
        if (w < 0).any():
            raise Missed("negative sample weights, which models refuse")
        if w.size == 1:
            w = np.broadcast_to(w.reshape(()), (n,))
        elif w.size == n and (w.ndim < 2 or w.shape[0] == pred.shape[0]):
            w = w.reshape(n)
        elif name in ELEMENTWISE and kwargs.get("class_id") is None and kwargs.get("top_k") is None and \
                not kwargs.get("multi_label"):
            try:
                w = np.broadcast_to(w, pred.shape).reshape(-1)
            except ValueError:
                raise Missed("weights of shape %s for %s" % (w.shape, pred.shape)) from None
            n, cols = pred.size, 1
        else:
            raise Missed("weights of single elements, of shape %s" % (w.shape,))
        weight = plain(w)
    if true.size % n:
        raise Missed("targets of shape %s for %s" % (true.shape, pred.shape))
    return {"true": plain(true.reshape(n, -1)), "pred": plain(pred.reshape(n, cols)), **({"weights": weight} if weight else {})}


def softmax_rows(x, axis, elements):
    """x with the axes of a softmax last, as one, and where its elements went."""
    axes = [a % x.ndim for a in (axis if isinstance(axis, (list, tuple)) else [axis])]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    size = int(np.prod([x.shape[a] for a in axes]))
    place = np.arange(x.size).reshape(x.shape).transpose(order).reshape(-1)
    went = np.empty(x.size, int)
    went[place] = np.arange(x.size)
    return x.transpose(order).reshape(-1, size), went[elements]


def lift(result, desired, atol, rtol):
    kind, *of = result.of
    want = np.asarray(desired)
    if want.dtype.kind not in "biuf":
        raise Other("expects no number")
    tolerance = {**({"atol": number(atol)} if atol else {}), **({"rtol": number(rtol)} if rtol else {})}
    name = of[0]._name if kind == "clip" else of[0].optimizer._name if kind == "variable" else of[0]
    if name in ABSENT:
        raise Other("there is no class " + name)
    if kind == "activation":
        x, kwargs = floats(of[1]), dict(of[2])
        elements = result.elements
        if "axis" in kwargs or name.endswith("softmax"):
            x, elements = softmax_rows(x, kwargs.pop("axis", -1), elements)
        want = np.broadcast_to(want, elements.shape).reshape(-1)
        elements = elements.reshape(-1)
        at = {} if len(elements) == x.size and (elements == np.arange(x.size)).all() else {"at": plain(elements)}
        x = x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)
        return {"class": name, "config": config(name, kwargs), "x": plain(x), **at, "want": plain(want), **tolerance}
    if kind == "state":
        raise Missed("the state of a metric, not its result")
    want = plain(want.reshape(-1))
    if kind in ("loss", "function"):
        kwargs = dict(of[1])
        if kind == "function":
            if PACKAGE == "losses":
                kwargs["reduction"] = "none"
            true, pred, weight = kwargs["y_true"], kwargs["y_pred"], None
        else:
            true, pred, weight = of[2:]
        batch = rows(name, true, pred, weight, kwargs)
        return {"class": name, "config": config(name, kwargs), **batch, "want": want, **tolerance}
    if kind == "metric":
        kwargs = dict(of[1])
        batches = [rows(name, *u, kwargs) for u in of[2]]
        return {"class": name, "config": config(name, kwargs), "batches": batches, "want": want, **tolerance}
    if kind == "clip":
        return {"class": name, "config": config(name, of[0]._kwargs), "clip": plain(of[1]), "want": want, **tolerance}
    v = of[0]
    if v.value is None:
        raise Other("a variable that two optimizers step")
    undecayed = {"undecayed": True} if v in v.optimizer._undecayed or v.name in v.optimizer._undecayed else {}
    return {"class": name, "config": config(name, v.optimizer._kwargs), **undecayed, "start": plain(v.value.reshape(-1)),
            "shape": list(v.value.shape) or [1], "gradients": [plain(g.reshape(-1)) for g in v.gradients], "want": want,
            **tolerance}


def note(actual, desired, atol, rtol):
    """Lifts an assertion, if it is about a number that a class of Keras computed."""
    frame = sys._getframe(2)
    while frame.f_code.co_name.startswith("_"):
        frame = frame.f_back
    test = {"test": "%s:%d" % (TEST, frame.f_lineno)}
    actual, desired = [v.numpy() if isinstance(v, Variable) and v.optimizer else v for v in (actual, desired)]
    if isinstance(desired, Result) and not isinstance(actual, Result):
        actual, desired = desired, actual
    try:
        if not isinstance(actual, Result):
            raise Other("not about a result but a name, a configuration, a state or a shape")
        if isinstance(desired, (Result, Nothing)):
            raise Other("compares two results")
        FOUND["asserts"].append(test | lift(actual, desired, atol, rtol))
    except Other as e:
        FOUND["other"].append(test | {"why": str(e)})
    except Missed as e:
        FOUND["missed"].append(test | {"why": str(e)})


def run(path):
    global TEST
    for name in [n for n in sys.modules if n.split(".")[0] == "keras"]:
        del sys.modules[name]
    scope = {"__name__": path}
    exec(compile(source(path), path, "exec"), scope)
    for case in [c for c in scope.values() if isinstance(c, type) and issubclass(c, Tests) and c is not Tests]:
        if case.__name__.removesuffix("Test") in ABSENT:
            FOUND["other"].append({"test": "%s %s" % (path, case.__name__), "why": "there is no such class"})
            continue
        for name in [n for n in vars(case) if n.startswith("test")]:
            f = getattr(case, name)
            TEST = "%s %s.%s" % (path, case.__name__, name)
            if getattr(f, "skipped", False):
                FOUND["other"].append({"test": TEST, "why": "skipped with this backend, or trains a model"})
                continue
            for args in getattr(f, "cases", [()]):
                test = case()
                np.random.seed(1)
                try:
                    test.setUp()
                    if isinstance(args, dict):
                        f(test, **args)
                    else:
                        f(test, *(args if isinstance(args, (list, tuple)) else [args]))
                except Other as e:
                    FOUND["other"].append({"test": TEST, "why": str(e)})
                except Exception as e:  # whatever a stand-in cannot do
                    FOUND["other" if "config" in name else "missed"].append(
                        {"test": TEST, "why": "the rest of the test: %s: %s" % (type(e).__name__, e)})


for PACKAGE, files in FILES.items():
    FOUND = {"source": "keras-team/keras %s, keras/src/%s" % (tag, PACKAGE), "absent": sorted(ABSENT), "asserts": [],
             "missed": [], "other": []}
    for file in files:
        run(file)
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), PACKAGE + ".json")
    with open(out, "w") as f:
        f.write("{\n")
        for i, (key, value) in enumerate(FOUND.items()):
            text = json.dumps(value, separators=(",", ":"))
            if isinstance(value, list) and value and isinstance(value[0], dict):
                text = "[\n" + ",\n".join(json.dumps(v, separators=(",", ":")) for v in value) + "\n]"
            f.write("%s%s:%s" % (",\n" if i else "", json.dumps(key), text))
        f.write("\n}\n")
    lifted, missed = len(FOUND["asserts"]), len(FOUND["missed"])
    print("%s: %d lifted, %d missed (%.1f %%), %d about something else" % (
        PACKAGE, lifted, missed, 100 * lifted / max(1, lifted + missed), len(FOUND["other"])))
    if "-v" in sys.argv:
        for v in FOUND["missed"]:
            print("  ", v["test"], v["why"])
