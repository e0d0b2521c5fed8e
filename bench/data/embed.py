"""Embeds texts with all-MiniLM-L6-v2 (Apache-2.0), whose weights a package ships: python embed.py FOLDER < texts, one a line.

Writes float32 [texts, 384]: FOLDER/sentences.npy, the mean over tokens scaled to length 1, as the model is meant to be used, and
FOLDER/cls.npy, the first token of the last layer as it is. A text is cut after 48 tokens.
"""

import io
import pathlib
import sys
import zipfile

import all_minilm_l6_v2
import numpy as np
from safetensors.numpy import load
from scipy.special import erf
from tokenizers import Tokenizer

HEADS, LAYERS, BATCH = 12, 6, 128


class Bert:
    """The encoder of Devlin et al. (2019), in float32."""

    def __init__(self, weights):
        self.weights = weights

    def linear(self, x, name):
        weight = self.weights[f"{name}.weight"]
        y = x.reshape(-1, x.shape[-1]) @ weight.T + self.weights[f"{name}.bias"]  # one product of all tokens
        return y.reshape(*x.shape[:-1], weight.shape[0])

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12))
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, x, mask, name):
        def split(part):
            y = self.linear(x, f"{name}.self.{part}")
            return y.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(query.shape[-1])) + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ value
        return self.linear(mixed.transpose(0, 2, 1, 3).reshape(x.shape), f"{name}.output.dense")

    def __call__(self, ids, mask):
        """int [batch, tokens] and 1 where a token counts, to float32 [batch, tokens, 384]."""
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        x = self.norm(x + w["embeddings.position_embeddings.weight"][: ids.shape[1]], "embeddings.LayerNorm")
        hidden = np.where(mask, 0, -1e9).astype(np.float32)[:, None, None, :]
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            x = self.norm(x + self.attention(x, hidden, f"{name}.attention"), f"{name}.attention.output.LayerNorm")
            y = self.linear(x, f"{name}.intermediate.dense")
            y *= (1 + erf(y * np.float32(np.sqrt(0.5)))) / 2
            x = self.norm(x + self.linear(y, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        return x


def main(folder):
    archive = zipfile.ZipFile(pathlib.Path(all_minilm_l6_v2.__file__).with_name("model.zip"))
    bert = Bert(load(archive.read("model.safetensors")))
    tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode())
    tokenizer.enable_truncation(48)
    tokenizer.enable_padding()
    texts = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8").read().splitlines()
    sentences, cls = (np.empty((len(texts), 384), np.float32) for _ in range(2))
    order = sorted(range(len(texts)), key=lambda text: len(texts[text]))
    for first in range(0, len(order), BATCH):
        some = order[first : first + BATCH]
        encoded = tokenizer.encode_batch([texts[text] for text in some])
        mask = np.array([text.attention_mask for text in encoded])
        hidden = bert(np.array([text.ids for text in encoded]), mask)
        mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        sentences[some] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        cls[some] = hidden[:, 0]
    np.save(pathlib.Path(folder, "sentences.npy"), sentences)
    np.save(pathlib.Path(folder, "cls.npy"), cls)


main(sys.argv[1])
