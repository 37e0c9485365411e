"""YOLO11n's network in PyTorch: forward in train mode, mean squares of the raw maps as loss, backward, SGD.

Told "run FORMAT" on standard input (FORMAT: contiguous or channels_last) it takes one step of the model in that memory
format and answers with a line of JSON: milliseconds and loss. Started as
    torch_step.py WEIGHTS.safetensors IMAGES.safetensors THREADS LEARNING_RATE [DEVICE]
"""
import json
import sys
import time

import numpy as np
import torch
from torch import nn


class Conv(nn.Module):
    """Convolution, norm, SiLU."""

    def __init__(self, i, o, k=1, s=1, g=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True) if act else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.cv1, self.cv2 = Conv(c, hidden, 3), Conv(hidden, c, 3)

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


class C3k(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c // 2
        self.cv1, self.cv2, self.cv3 = Conv(c, h), Conv(c, h), Conv(2 * h, c)
        self.m = nn.Sequential(Bottleneck(h, h), Bottleneck(h, h))

    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class C3k2(nn.Module):
    def __init__(self, i, o, c3k=False, e=0.5):
        super().__init__()
        h = int(o * e)
        self.cv1, self.cv2 = Conv(i, 2 * h), Conv(3 * h, o)
        self.m = nn.ModuleList([C3k(h) if c3k else Bottleneck(h, h // 2)])

    def forward(self, x):
        stages = list(self.cv1(x).chunk(2, 1))
        stages += [m(stages[-1]) for m in self.m]
        return self.cv2(torch.cat(stages, 1))


class SPPF(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cv1, self.cv2 = Conv(c, c // 2), Conv(2 * c, c)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        levels = [self.cv1(x)]
        for _ in range(3):
            levels.append(self.m(levels[-1]))
        return self.cv2(torch.cat(levels, 1))


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.head, self.key = heads, c // heads, c // heads // 2
        self.qkv = Conv(c, c + 2 * self.key * heads, act=False)
        self.proj, self.pe = Conv(c, c, act=False), Conv(c, c, 3, g=c, act=False)

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = self.qkv(x).reshape(n, self.heads, -1, h * w).split([self.key, self.key, self.head], 2)
        weights = (q.transpose(-2, -1) @ k * self.key**-0.5).softmax(-1)
        y = (v @ weights.transpose(-2, -1)).reshape(n, c, h, w)
        return self.proj(y + self.pe(v.reshape(n, c, h, w)))


class PSABlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attn = Attention(c, c // 64)
        self.ffn = nn.Sequential(Conv(c, 2 * c), Conv(2 * c, c, act=False))

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.ffn(x)


class C2PSA(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cv1, self.cv2, self.m = Conv(c, c), Conv(c, c), nn.Sequential(PSABlock(c // 2))

    def forward(self, x):
        a, b = self.cv1(x).chunk(2, 1)
        return self.cv2(torch.cat([a, self.m(b)], 1))


class Detect(nn.Module):
    def __init__(self, nc, channels):
        super().__init__()
        box, cls = max(16, channels[0] // 4, 64), max(channels[0], min(nc, 100))
        self.cv2 = nn.ModuleList(
            nn.Sequential(Conv(c, box, 3), Conv(box, box, 3), nn.Conv2d(box, 64, 1)) for c in channels
        )
        self.cv3 = nn.ModuleList(
            nn.Sequential(
                nn.Sequential(Conv(c, c, 3, g=c), Conv(c, cls)),
                nn.Sequential(Conv(cls, cls, 3, g=cls), Conv(cls, cls)),
                nn.Conv2d(cls, nc, 1),
            )
            for c in channels
        )

    def forward(self, xs):
        return [torch.cat([a(x), b(x)], 1) for a, b, x in zip(self.cv2, self.cv3, xs)]


class Yolo11n(nn.Module):
    def __init__(self, nc=80):
        super().__init__()
        up = nn.Upsample(scale_factor=2, mode="nearest")
        skip = nn.Identity()
        self.model = nn.ModuleList([
            Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), C3k2(32, 64, e=0.25), Conv(64, 64, 3, 2), C3k2(64, 128, e=0.25),
            Conv(128, 128, 3, 2), C3k2(128, 128, True), Conv(128, 256, 3, 2), C3k2(256, 256, True), SPPF(256),
            C2PSA(256), up, skip, C3k2(384, 128), up, skip, C3k2(256, 64), Conv(64, 64, 3, 2), skip, C3k2(192, 128),
            Conv(128, 128, 3, 2), skip, C3k2(384, 256, True), Detect(nc, [64, 128, 256]),
        ])
        self.joins = {12: 6, 15: 4, 18: 13, 21: 10}

    def forward(self, x):
        outputs = []
        for i, layer in enumerate(self.model[:-1]):
            x = torch.cat([x, outputs[self.joins[i]]], 1) if i in self.joins else layer(x)
            outputs.append(x)
        return self.model[-1]([outputs[i] for i in (16, 19, 22)])


def read(path):
    """The float32 tensors of a safetensors file."""
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size :]
    kinds = {"F32": np.float32, "I64": np.int64, "I32": np.int32}
    return {
        name: torch.from_numpy(np.frombuffer(body[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).copy()).reshape(entry["shape"])
        for name, entry in header.items()
    }


def trainer(weights, images, rate, layout, device):
    model = Yolo11n()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not missing and all(".dfl." in name for name in unexpected), (missing, unexpected)
    model = model.to(device, memory_format=layout).train()
    images = images.to(device, memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, nesterov=True)

    def step():
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = sum((y * y).mean() for y in model(images))
        loss.backward()
        optimizer.step()
        value = loss.item()
        return {"ms": (time.perf_counter() - start) * 1e3, "loss": value}

    return step


def main():
    weights, images, threads, rate, *device = sys.argv[1:]
    torch.set_num_threads(int(threads))
    state, pictures = read(weights), read(images)["images"]
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    steps = {}
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        name = line.split()[1]
        if name not in steps:
            steps[name] = trainer(state, pictures, float(rate), formats[name], *(device or ["cpu"]))
        print(json.dumps(steps[name]()), flush=True)


main()
