"""Writes reference.json: what scikit-learn, pandas and NumPy compute for small columns. Run it with Debian's python3:
apt-get install python3-sklearn python3-pandas; python3 reference.py > reference.json"""
import json
import math
import warnings

import numpy as np
import pandas as pd
import sklearn
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (KBinsDiscretizer, LabelEncoder, MinMaxScaler, OneHotEncoder, QuantileTransformer,
                                   RobustScaler, StandardScaler)

warnings.filterwarnings("ignore")
rng = np.random.RandomState(7)
columns = {
    "normal": rng.normal(3, 2, 500).tolist(),
    "skewed": np.exp(rng.normal(0, 2, 301)).tolist(),
    "duplicates": rng.randint(0, 7, 400).astype(float).tolist(),
    "huge": (rng.normal(0, 1, 100) * 1e30).tolist(),
    "offset": (1e9 + rng.normal(0, 1, 257)).tolist(),
    "two": [1.0, 2.0],
    "one": [5.0],
    "constant": [4.0] * 10,
    "long": rng.gamma(2.0, 3.0, 5000).tolist(),
}
cases = []


def case(name, steps, fit, rows, want, **more):
    want = [[float(x) for x in np.ravel(w)] for w in want]
    fit = next((k for k, c in columns.items() if c is fit), fit)
    cases.append(dict(name=name, steps=[dict(class_name=c, config=k) for c, k in steps], fit=fit, rows=rows, want=want, **more))


for name, column in columns.items():
    x = np.array(column)[:, None]
    lo, hi = x.min(), x.max()
    rows = column[:20] + [lo, hi, lo - 1, hi + abs(hi), 0.0, (lo + hi) / 2]
    r = np.array(rows)[:, None]
    if name != "constant" and name != "one":  # Keras divides by 1e-7, scikit-learn by 1
        case("Normalization/" + name, [("Normalization", {})], column, rows, StandardScaler().fit(x).transform(r))
    case("MinMaxScaler/" + name, [("MinMaxScaler", {})], column, rows, MinMaxScaler().fit(x).transform(r))
    case("MinMaxScaler/range,clip/" + name, [("MinMaxScaler", {"feature_range": [-1, 2], "clip": True})], column, rows,
         MinMaxScaler((-1, 2), clip=True).fit(x).transform(r))
    robust = RobustScaler().fit(x).transform(r)
    case("RobustScaler/" + name, [("RobustScaler", {})], column, rows, robust)
    if name not in ("constant", "one"):
        case("RobustScaler/smooth/" + name, [("RobustScaler", {"smooth_clip": 3})], column, rows, robust / np.sqrt(1 + (robust / 3) ** 2))
    for n in (1000, 11):
        if name == "one" or name == "duplicates" and n == 1000:
            continue  # scikit-learn has 0 above the only value, and landmarks a rounding away from equal values
        for normal in (False, True):
            t = QuantileTransformer(n_quantiles=min(n, len(column)), subsample=10**9, output_distribution="normal" if normal else "uniform")
            case("QuantileTransformer/%d,normal=%s/%s" % (n, normal, name), [("QuantileTransformer", {"n_quantiles": n, "normal": normal})],
                 column, rows, t.fit(x).transform(r))
    for bins in (2, 4, 7):
        if len(column) >= bins and name not in ("constant",):
            # Keras' rule: boundary i is interpolated where the k-th of n values is the k/n quantile.
            v = np.sort(np.array(column))
            b = np.interp(np.arange(1, bins) / bins, np.arange(1, len(v) + 1) / len(v), v)
            case("Discretization/%d/%s" % (bins, name), [("Discretization", {"num_bins": bins})], column, rows,
                 np.digitize(np.array(rows, dtype="float32"), b.astype("float32")))

positive = [x for x in columns["skewed"]] + [0.0, 1e-12, 1e12]
case("Log", [("Log", {})], [], positive, np.log1p(positive))
case("Log/symmetric", [("Log", {"symmetric": True})], [], [-3.5, -1e-9, 0.0, 7.0], [math.copysign(math.log1p(abs(x)), x) for x in (-3.5, -1e-9, 0.0, 7.0)])

gaps = [1.0, None, 3.0, 3.0, None, 10.0]
as_array = np.array([[np.nan if g is None else g] for g in gaps])
for strategy in ("mean", "median", "most_frequent"):
    case("Imputer/" + strategy, [("Imputer", {"strategy": strategy})], gaps, gaps, SimpleImputer(strategy=strategy).fit_transform(as_array))
case("Imputer/indicator", [("Imputer", {"strategy": "mean", "add_indicator": True})], gaps, gaps,
     SimpleImputer(strategy="mean", add_indicator=True).fit_transform(as_array))
case("Imputer/constant", [("Imputer", {"strategy": "constant", "fill_value": -1})], gaps, gaps,
     SimpleImputer(strategy="constant", fill_value=-1).fit_transform(as_array))

words = ["cherry", "apple", "", "Äpfel", "日本", "apple", "b" * 1000, "cherry", "apple", "\u0000"]
case("LabelEncoder", [("LabelEncoder", {})], words, words, LabelEncoder().fit_transform(np.array(words, dtype=object)))
order = sorted(set(words), key=lambda w: (words.count(w), w.encode()), reverse=True)
e = OneHotEncoder(categories=[order], handle_unknown="ignore").fit([[w] for w in words])
case("StringLookup/one_hot", [("StringLookup", {"output_mode": "one_hot"})], words, words,
     [[0] + row for row in e.transform([[w] for w in words]).toarray().tolist()])

texts = ["The cat sat on the mat.", "the Dog; the cat & the bird", "", "a bird, a plane -- a bird!", "cat's"]
clean = ["".join(c for c in t.lower() if c.isalnum() or c == " ") for t in texts]
counts = {}
for t in clean:
    for w in t.split():
        counts[w] = counts.get(w, 0) + 1
order = sorted(counts, key=lambda w: (counts[w], w), reverse=True)
for grams in ([1], [1, 2], [2]):
    c = CountVectorizer(token_pattern=r"\S+", ngram_range=(grams[0], grams[-1])).fit(clean)
    m = c.transform(clean).toarray()
    total = {w: m[:, i].sum() for w, i in c.vocabulary_.items()}
    order = sorted(total, key=lambda w: (total[w], w), reverse=True)
    m = m[:, [c.vocabulary_[w] for w in order]]
    case("TextVectorization/count/%s" % grams, [("TextVectorization", {"output_mode": "count", "ngrams": grams})], texts, texts,
         [[0] + row.tolist() for row in m])
    idf = np.log(1 + len(texts) / (1 + (m > 0).sum(0)))  # Keras' formula
    case("TextVectorization/tf_idf/%s" % grams, [("TextVectorization", {"output_mode": "tf_idf", "ngrams": grams})], texts, texts,
         [[0] + row.tolist() for row in m * idf])

times = ["2007-11-11", "2024-02-29 23:59:58", "1969-12-31T00:00:01", "2000-01-01T12:30:00Z", "2026-11-28T03:42:52"]
parts = ["year", "month", "day", "weekday", "yearday", "hour", "minute", "second"]
stamps = [pd.Timestamp(t).tz_localize(None) for t in times]
case("Calendar", [("Calendar", {"parts": parts})], [], times,
     [[s.year, s.month, s.day, s.dayofweek, s.dayofyear, s.hour, s.minute, s.second] for s in stamps])
cyclic = []
for s in stamps:
    turns = [(s.month - 1) / 12, (s.day - 1) / 31, s.dayofweek / 7, (s.dayofyear - 1) / 366, s.hour / 24, s.minute / 60, s.second / 60]
    cyclic.append([s.year] + [f(2 * math.pi * t) for t in turns for f in (math.sin, math.cos)])
case("Calendar/cyclic", [("Calendar", {"parts": parts, "cyclic": True})], [], times, cyclic)

print('{"by": "scikit-learn %s, pandas %s, NumPy %s",\n "columns": %s,\n "cases": [' % (
    sklearn.__version__, pd.__version__, np.__version__, json.dumps(columns)))
print(",\n".join(json.dumps(c) for c in cases))
print("]}")
