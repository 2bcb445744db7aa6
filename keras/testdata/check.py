"""Compares what TestForKeras wrote into a folder with Keras: python3 check.py FOLDER (KERAS_BACKEND=numpy is enough)."""
import glob
import json
import sys

import keras
import numpy as np

failed = 0
for path in sorted(glob.glob(sys.argv[1] + "/*.keras") + glob.glob(sys.argv[1] + "/*.h5")):
    with open(path.rsplit(".", 1)[0] + ".json") as f:
        case = json.load(f)
    try:
        model = keras.models.load_model(path)
        inputs = [np.array(x["values"], "float32").reshape([-1] + x["shape"]) for x in case["inputs"]]
        outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        largest = 0.0
        for y, want in zip(outputs, case["outputs"], strict=True):
            want = np.array(want["values"], "float64").reshape([-1] + want["shape"])
            y = keras.ops.convert_to_numpy(y).astype("float64")
            assert y.shape == want.shape, (y.shape, want.shape)
            largest = max(largest, float(np.max(np.abs(y - want) / (1 + np.abs(want)))))
        optimizer = getattr(model, "optimizer", None)
        print(path, "difference", largest, optimizer and optimizer.name)
        failed += largest > 1e-6
    except Exception as e:  # the next file is tried
        print(path, "failed:", str(e)[:1500])
        failed += 1
sys.exit(failed > 0)
