"""Trains a small neural network to read handwritten digits. Runs in the job, with numpy alone.

Reads train.npz and test.npz (images: N x 64 floats from 0 to 16; labels: N integers) from the directory DATA, and
writes model.npz and metrics.json to the directory OUTPUT.
"""

import json
import os
import pathlib
import sys
import time

import numpy as np

HIDDEN, EPOCHS, BATCH, RATE, MOMENTUM = 64, 150, 32, 0.05, 0.9


def read(path):
    with np.load(path) as data:
        return data["images"] / 16.0, data["labels"]


def forward(model, images):
    hidden = np.maximum(0.0, images @ model["w1"] + model["b1"])
    scores = hidden @ model["w2"] + model["b2"]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, scores / scores.sum(axis=1, keepdims=True)


def accuracy(model, images, labels):
    return float((forward(model, images)[1].argmax(axis=1) == labels).mean())


def main():
    data = pathlib.Path(os.environ.get("DATA", "/data"))
    output = pathlib.Path(os.environ.get("OUTPUT", "/output"))
    images, labels = read(data / "train.npz")
    test_images, test_labels = read(data / "test.npz")
    print(f"{len(images)} images to train on, {len(test_images)} to test on; numpy {np.__version__}", flush=True)

    random = np.random.default_rng(0)
    model = {
        "w1": random.normal(0, np.sqrt(2 / 64), (64, HIDDEN)),
        "b1": np.zeros(HIDDEN),
        "w2": random.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, 10)),
        "b2": np.zeros(10),
    }
    velocity = {name: np.zeros_like(value) for name, value in model.items()}
    started = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        order, loss = random.permutation(len(images)), 0.0
        for at in range(0, len(order), BATCH):
            batch = order[at : at + BATCH]
            hidden, chances = forward(model, images[batch])
            loss -= np.log(chances[np.arange(len(batch)), labels[batch]] + 1e-12).sum()
            chances[np.arange(len(batch)), labels[batch]] -= 1
            chances /= len(batch)
            back = (chances @ model["w2"].T) * (hidden > 0)
            gradients = {
                "w1": images[batch].T @ back,
                "b1": back.sum(axis=0),
                "w2": hidden.T @ chances,
                "b2": chances.sum(axis=0),
            }
            for name, gradient in gradients.items():
                velocity[name] = MOMENTUM * velocity[name] - RATE * gradient
                model[name] += velocity[name]
        if epoch == 1 or epoch % 15 == 0:
            test = accuracy(model, test_images, test_labels)
            print(f"epoch {epoch:3d}  loss {loss / len(images):.4f}  test accuracy {test:.4f}", flush=True)

    result = {"accuracy": accuracy(model, test_images, test_labels), "seconds": round(time.monotonic() - started, 2)}
    np.savez(output / "model.npz", **model)
    (output / "metrics.json").write_text(json.dumps(result) + "\n")
    print(f"wrote model.npz and metrics.json after {result['seconds']} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
