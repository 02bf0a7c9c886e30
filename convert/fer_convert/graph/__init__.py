"""The float graph that every format is made from: ONNX, with one input of a fixed size and one output."""
